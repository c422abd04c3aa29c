package directory_test

import (
	"fmt"
	"testing"
	"unicode"

	"github.com/rollcall-im/rollcall/directory"
)

// Nothing that leaves no mark makes another number: every character that Unicode calls ignorable, the fillers, and the blanks with no ink.
func TestNumberLooks(t *testing.T) {
	var unseen []rune
	for _, of := range []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf} {
		for _, r := range of.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				unseen = append(unseen, c)
			}
		}
		for _, r := range of.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				unseen = append(unseen, c)
			}
		}
	}
	unseen = append(unseen, 0x034f, 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800, 0x17b4, 0x17b5, 0x180b, 0x180c, 0x180d, 0x180e, 0x180f, 0x200b, 0x2060, 0x2065, 0xad, 0xfeff,
		0xfe0f, 0xe0100, 0xe0001, 0xe007f, 0x16fe4, 0x1d159, 0x1d173, 0xa0, 0x3000, 0x1680, 0x2028, 0x85)
	for _, c := range unseen {
		for _, s := range []string{fmt.Sprintf("A47%c11", c), fmt.Sprintf("%cA4711", c), fmt.Sprintf("A4711%c", c)} {
			if got := directory.NumberLooks(s); got != "A4711" {
				t.Errorf("%U: %q looks like %q", c, s, got)
			}
		}
	}
	for is, looks := range map[string]string{"a0017": "A0017", "Ａ００１７": "A0017", "ａ0017": "A0017", "٠٠١٧": "0017", "००१७": "0017", "𝟎𝟎𝟏𝟕": "0017", "\U0001e950\U0001e951": "01", "é1": "É1",
		"e\u034f\u03011": "É1", "А17": "А17", "": ""} { // the last letter is Cyrillic: it stays
		same(t, is, directory.NumberLooks(is), looks)
	}
	for c := rune(0x80); c <= unicode.MaxRune; c++ { // tens of digits lie together, the zero first
		if unicode.Is(unicode.Nd, c) && !unicode.Is(unicode.Nd, c-1) {
			for n := range rune(10) {
				same(t, fmt.Sprintf("%U", c+n), directory.NumberLooks(string(c+n)), string('0'+n))
			}
		}
	}
}
