package ldap

import "runtime/debug"

// Who writes many entries lets the heap grow by less than its size between two collections: what was read is held meanwhile, and all of it
// twice would be most of the process.
const (
	largeFrom   = 10_000
	thriftyGrow = 75 // percent
)

// thrifty makes the collector run earlier, until restore; where it is set to that already, by the environment or by another source that is
// being written, it stays so.
func thrifty() (restore func()) {
	before := debug.SetGCPercent(thriftyGrow)
	if before <= thriftyGrow { // negative: off
		debug.SetGCPercent(before)
		return func() {}
	}
	return func() { debug.SetGCPercent(before) }
}
