package stacktest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMistakesOnTheCommandLineAndInVariablesAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ args, variable, named string }{
		"no command":         {"", "", "expected one of"},
		"an unknown command": {"restart", "", "restart"},
		"an unknown flag":    {"up --service-only", "", "--service-only"},
		"no service":         {"stop", "", "<service>"},
		"an unknown program": {"env notify", "", `"notify"`},
		"no command to run":  {"exec --services-only", "", "<command>"},
		"a misspelled port":  {"status", "DEVSTACK_PORT_APY=1", "DEVSTACK_PORT_APY"},
		"not a port":         {"status", "DEVSTACK_PORT_API=x", "DEVSTACK_PORT_API=x"},
		"a variable of none": {"start worker", "DEVSTACK_WORKR_LOG_LEVEL=DEBUG", "DEVSTACK_WORKR_LOG_LEVEL"},
	} {
		cmd := exec.CommandContext(t.Context(), devstack(t), strings.Fields(test.args)...)
		cmd.Env = append(os.Environ(), "DEVSTACK_DATA="+t.TempDir(), test.variable)
		output, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !strings.Contains(string(output), test.named) {
			t.Errorf("%s: want exit code 2 and %q, got %v:\n%s", name, test.named, err, output)
		}
	}
}
