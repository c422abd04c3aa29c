package hrfeed

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-im/rollcall/directory"
)

// lengths knows how employee numbers are written, to notice those that have lost zeros, or are written in another case or width. It never guesses them.
type lengths struct {
	said    int               // by the mapping; 0: nobody said
	learned map[string]length // by what stands before the digits
	keys    map[string]bool   // that the source has
	folded  map[string]string // by how the number looks: how it is known, else how the file has it first
}

// length is how many digits numbers have, and how that is known; 0: nobody knows.
type length struct {
	digits int
	known  string
}

// enoughNumbers is from how many numbers of one length on the length counts.
const enoughNumbers = 3

// stem parts a number into what stands before its last digits, and those.
func stem(number string) (before, digits string) {
	before = strings.TrimRight(number, "0123456789")
	return before, number[len(before):]
}

// tally counts the numbers that begin alike.
type tally struct {
	count, zeros int
	length       int // of their digits; -1: they differ
}

func (t *tally) add(digits string) {
	t.count++
	if digits[0] == '0' {
		t.zeros++
	}
	switch t.length {
	case 0, len(digits):
		t.length = len(digits)
	default:
		t.length = -1
	}
}

func tallied(numbers []string) map[string]*tally {
	out := map[string]*tally{}
	for _, number := range numbers {
		before, digits := stem(norm.NFKC.String(number))
		if digits == "" {
			continue
		}
		if out[before] == nil {
			out[before] = &tally{}
		}
		out[before].add(digits)
	}
	return out
}

// lengthsOf learns the lengths from the mapping, else from the numbers that the source has, else from those of the file that begin with a
// zero. Behind a letter zeros are known by those that are there: E9 and E10 are fine beside each other.
func lengthsOf(m Mapping, known map[string]bool, file []intent) lengths {
	l := lengths{keys: known, learned: map[string]length{}, folded: map[string]string{}}
	var have, zeros []string
	for k := range known {
		have = append(have, k)
		l.folded[directory.NumberLooks(k)] = k
	}
	for _, in := range file {
		if looks := directory.NumberLooks(in.key); l.folded[looks] == "" {
			l.folded[looks] = in.key
		}
		if _, digits := stem(norm.NFKC.String(in.key)); digits != "" && digits[0] == '0' && !in.numeric {
			zeros = append(zeros, in.key)
		}
	}
	if m.key() != fNumber || m.NumberLength < 0 {
		return l
	}
	if l.said = m.NumberLength; l.said > 0 {
		return l
	}
	held := tallied(have)
	for before, t := range held {
		if t.count >= enoughNumbers && t.length > 0 && (before == "" || t.zeros > 0) {
			l.learned[before] = length{t.length, fmt.Sprintf("as all %d that are known", t.count)}
		}
	}
	for before, t := range tallied(zeros) {
		if h := held[before]; l.learned[before].digits == 0 && t.length > 0 && (h == nil || h.length < 0 || h.length == t.length) {
			l.learned[before] = length{t.length, "as others in the file that begin with a zero"}
		}
	}
	return l
}

// doubt tells why nobody can say whose a number is; empty where it is fine.
func (l lengths) doubt(number string) (code, text string) {
	if l.keys[number] {
		return "", ""
	}
	if as := l.folded[directory.NumberLooks(number)]; as != "" && as != number {
		code, how, with := "other_form", "in how it is written (full-width letters or digits, blanks within, characters that nobody sees)", "written otherwise"
		if strings.EqualFold(as, number) {
			code, how, with = "other_case", "in capital letters", "with other capital letters"
		}
		if l.keys[as] {
			return code, fmt.Sprintf("one is known that differs %s alone: it is written so everywhere (%s is known)", how, as)
		}
		return code, fmt.Sprintf("another row has it %s (%s)", with, as)
	}
	if hidden := unseen(number); hidden != "" {
		return "bad_key", "it holds " + hidden + ", which nobody sees: written so it is a number of its own"
	}
	number = norm.NFKC.String(number)
	before, digits := stem(number)
	has, want := len(digits), l.learned[before]
	if l.said > 0 {
		want = length{l.said - utf8.RuneCountInString(before), "as the mapping says"}
		if n := utf8.RuneCountInString(number); n > l.said || n < l.said && digits == "" {
			return "bad_length", fmt.Sprintf("it has %s, and %d are expected, as number_length of the mapping says", several(n, "character"), l.said)
		}
	}
	if has >= want.digits || has == 0 {
		return "", ""
	}
	text = fmt.Sprintf("it has %s, and %d are expected, %s: leading zeros may be lost. Make the column text; where numbers differ in length, say number_length: -1 in the mapping", several(has, "digit"), want.digits, want.known)
	if padded := before + strings.Repeat("0", want.digits-has) + digits; l.keys[padded] {
		text += fmt.Sprintf(" (%s is known)", padded)
	}
	return "lost_zeros", text
}
