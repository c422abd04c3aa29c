package hrfeed

import (
	"fmt"
	"strings"
)

// kindsOfName answers what a name of a file says: "people.full.csv", "2026-01_delta.xlsx" or "员工全量.xlsx". A name that says both is no better than one that says nothing.
func kindsOfName(name string) (said []Kind) {
	name = strings.ToLower(name)
	for i, part := range strings.Split(name, ".") {
		for _, k := range []Kind{Full, Delta} {
			word := part
			if at := strings.LastIndexAny(part, "_- "); at > 0 {
				word = part[at+1:]
			} else if i == 0 { // a word that stands alone may be what the file is called
				continue
			}
			if word == string(k) {
				said = append(said, k)
			}
		}
	}
	for word, k := range map[string]Kind{"全量": Full, "增量": Delta} {
		if strings.Contains(strings.ReplaceAll(name, "非"+word, ""), word) {
			said = append(said, k)
		}
	}
	return said
}

// readableName refuses a file for what it is called.
func readableName(name string) error {
	if strings.HasSuffix(strings.ToLower(trim(name)), ".xls") {
		return fmt.Errorf("%w: it is called .xls, which is an old workbook, or a page or text that a program calls so; save it as .xlsx, or as CSV", ErrUnreadable)
	}
	return nil
}
