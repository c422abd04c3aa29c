package provisioning

import "hash/maphash"

// idTable numbers ids in the order in which they are added. They lie one behind the other: a map of strings would keep two allocations for each, and
// the collector would walk them.
type idTable struct {
	seed  maphash.Seed
	bytes []byte
	ends  []uint32
	slots []int32 // by hash: a number counted from 1; 0: free
}

// text answers the id of a number.
func (t *idTable) text(n int32) []byte {
	from := uint32(0)
	if n > 0 {
		from = t.ends[n-1]
	}
	return t.bytes[from:t.ends[n]]
}

// add gives an id that was not added before the next number.
func (t *idTable) add(text []byte) {
	t.bytes = append(t.bytes, text...)
	t.ends = append(t.ends, uint32(len(t.bytes)))
	if 2*len(t.ends) <= len(t.slots) {
		t.put(int32(len(t.ends) - 1))
		return
	}
	if len(t.slots) == 0 {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]int32, max(64, 2*len(t.slots)))
	for n := range t.ends {
		t.put(int32(n))
	}
}

func (t *idTable) put(n int32) {
	at, _ := t.slot(t.text(n))
	t.slots[at] = n + 1
}

// slot answers where an id stands, or would.
func (t *idTable) slot(text []byte) (at int, taken bool) {
	mask := len(t.slots) - 1
	for at = int(maphash.Bytes(t.seed, text)) & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if string(t.text(t.slots[at]-1)) == string(text) {
			return at, true
		}
	}
	return at, false
}

// find answers the number of an id.
func (t *idTable) find(text []byte) (int32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	at, known := t.slot(text)
	return t.slots[at] - 1, known
}
