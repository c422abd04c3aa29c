package main

import "github.com/rollcall-im/rollcall/directory"

// Disclosure says how many days before its instant something that is to come of a person is told, where its source does not say when.
type Disclosure struct {
	End     int    `koanf:"end"`
	Move    int    `koanf:"move"`
	Leave   int    `koanf:"leave"`
	Manager string `koanf:"manager"` // disclosed, or always: managers are told of an end before it is disclosed
}

func (d Disclosure) check(bad func(key, format string, args ...any)) {
	const most = 3650
	for key, days := range map[string]int{"disclosure.end": d.End, "disclosure.move": d.Move, "disclosure.leave": d.Leave} {
		if days < 0 || days > most {
			bad(key, "%d is not a number of days from 0 to %d", days, most)
		}
	}
	if d.Manager != "disclosed" && d.Manager != "always" {
		bad("disclosure.manager", "%q is not one of disclosed, always", d.Manager)
	}
}

func (d Disclosure) rule() directory.Disclosure {
	return directory.Disclosure{End: d.End, Move: d.Move, Leave: d.Leave}
}
