package gateway

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestTheDocumentationListsEverythingThatCanGoWrong compares the operators' page with the code.
func TestTheDocumentationListsEverythingThatCanGoWrong(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/gateway-simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range Faults {
		names = append(names, string(f))
	}
	names = append(names, Operations...)
	names = append(names, Events...)
	for method := range cards {
		name := strings.TrimPrefix(method, "pm_card_visa_chargeDeclined")
		if name = strings.TrimPrefix(name, "pm_card_chargeDeclined"); name != "" {
			names = append(names, name)
		}
	}
	options := reflect.TypeFor[Options]()
	for i := range options.NumField() {
		if name, _, _ := strings.Cut(options.Field(i).Tag.Get("env"), ","); name != "" && name != "STRIPESIM_API_KEY" {
			names = append(names, name)
		}
	}
	rule := reflect.TypeFor[Rule]()
	for i := range rule.NumField() {
		name, _, _ := strings.Cut(rule.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	for _, name := range names {
		// The page writes the methods of a brand without their prefix.
		short := strings.TrimPrefix(name, "pm_card_")
		if text := string(page); !strings.Contains(text, "`"+name) && !strings.Contains(text, "`"+short+"`") && name != "fault" {
			t.Errorf("docs/gateway-simulator.md does not mention %s", name)
		}
	}
}
