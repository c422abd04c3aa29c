package hrfeed

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// decode turns bytes into text: as is said, by the mark at their beginning, as UTF-8 where that explains them, else as GB18030, of which
// GBK and GB 2312 are parts. Of UTF-8 what is none stays as it is, of the others it becomes U+FFFD; either way its row is refused later.
func decode(data []byte, declared string) (plain, encoding string, err error) {
	declared = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(declared))
	mark := ""
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		mark, data = "utf8", data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		mark = "utf16"
	}
	if declared == "" {
		switch {
		case mark != "":
			declared = mark
		case isUTF8(data):
			declared = "utf8"
		case isGB(data):
			declared = "gb18030"
		default:
			return "", "", fmt.Errorf("%w: it is neither UTF-8, UTF-16 nor GB18030; save it as UTF-8, or say its encoding", ErrUnreadable)
		}
	}
	switch declared {
	case "utf8":
		return string(data), "utf-8", nil
	case "utf16":
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil {
			return "", "", fmt.Errorf("%w: it is not UTF-16", ErrUnreadable)
		}
		return string(out), "utf-16", nil
	case "gb18030", "gbk", "gb2312":
		out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil {
			return "", "", fmt.Errorf("%w: it is not GB18030", ErrUnreadable)
		}
		return string(out), "gb18030", nil
	}
	return "", "", fmt.Errorf("%w: encoding %q is not one of utf-8, utf-16, gb18030", ErrUnreadable, cutText(declared))
}

// isUTF8 tells whether data is UTF-8, but for what is damaged. Chinese in GB18030 has by chance what looks like characters of two bytes in
// UTF-8, hardly ever one of three, and next to never a whole line that fits: so either what fits outweighs what does not, or a good
// part of the lines fit that are not ASCII.
func isUTF8(data []byte) bool {
	if utf8.Valid(data) {
		return true
	}
	fits, bad, whole, broken := 0, 0, 0, 0
	for line := range bytes.Lines(data) {
		wide, before := false, bad
		for len(line) > 0 {
			r, n := utf8.DecodeRune(line)
			switch {
			case r == utf8.RuneError && n == 1:
				bad++
			case n > 1:
				fits++
				wide = wide || n > 2
			}
			line = line[n:]
		}
		switch {
		case bad > before:
			broken++
		case wide:
			whole++
		}
	}
	return fits > bad || whole > 0 && whole*20 >= broken
}

// isGB tells whether data may be GB18030: no Chinese is written without a character of GB 2312, of which both bytes are high. An
// accent of an old Western encoding stands alone.
func isGB(data []byte) bool {
	for i := 1; i < len(data); i++ {
		if data[i-1] >= 0xa1 && data[i-1] <= 0xf7 && data[i] >= 0xa1 && data[i] != 0xff {
			return true
		}
	}
	return false
}
