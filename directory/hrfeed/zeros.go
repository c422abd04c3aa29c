package hrfeed

import (
	"fmt"
	"strings"
)

// lengths knows how long employee numbers are, to notice those that a spreadsheet has taken zeros from. It never guesses them.
type lengths struct {
	want  int    // 0: nobody knows
	known string // how it is known
	keys  map[string]bool
}

// enoughNumbers is from how many numbers of one length on the length counts.
const enoughNumbers = 3

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// lengthsOf learns the length from the mapping, else from the numbers that the source has, else from those of the file that begin with a zero.
func lengthsOf(m Mapping, known map[string]bool, file []intent) lengths {
	l := lengths{keys: known}
	if m.key() != fNumber || m.NumberLength < 0 {
		return l
	}
	if m.NumberLength > 0 {
		l.want, l.known = m.NumberLength, "as the mapping says"
		return l
	}
	count, one := 0, 0
	for k := range known {
		if !digits(k) {
			continue
		}
		if count++; one == 0 {
			one = len(k)
		} else if one != len(k) {
			one = -1
		}
	}
	if count >= enoughNumbers && one > 0 {
		l.want, l.known = one, fmt.Sprintf("as all %d that are known", count)
		return l
	}
	zeros, zeroLength := 0, 0
	for _, in := range file {
		if !digits(in.key) || in.numeric || in.key[0] != '0' {
			continue
		}
		if zeros++; zeroLength == 0 {
			zeroLength = len(in.key)
		} else if zeroLength != len(in.key) {
			zeroLength = -1
		}
	}
	if one <= 0 && zeros > 0 && zeroLength > 0 {
		l.want, l.known = zeroLength, "as others in the file that begin with a zero"
	}
	return l
}

// lost tells why a number may have lost its zeros; empty where it is fine.
func (l lengths) lost(number string) string {
	if l.want == 0 || !digits(number) || len(number) >= l.want || l.keys[number] {
		return ""
	}
	text := fmt.Sprintf("it has %d digits, and %d are expected, %s: leading zeros may be lost. Make the column text; where numbers differ in length, say number_length: -1 in the mapping", len(number), l.want, l.known)
	if padded := strings.Repeat("0", l.want-len(number)) + number; l.keys[padded] {
		text += fmt.Sprintf(" (%s is known)", padded)
	}
	return text
}
