package money

// CardSteps are the currencies in which cards move no single minor unit: they count in steps of so many. All others count
// in steps of 1.
var CardSteps = map[string]int64{"BHD": 10, "JOD": 10, "KWD": 10, "OMR": 10, "TND": 10, "MGA": 100}

// CardStep returns the smallest amount of the currency that cards can move, in minor units.
func CardStep(currency string) int64 {
	if step, ok := CardSteps[currency]; ok {
		return step
	}
	return 1
}
