package hrfeed

import (
	"regexp"
	"strconv"
	"strings"
)

// chineseDate is a day in Chinese numerals, as 二〇二六年十一月二十三日.
var chineseDate = regexp.MustCompile(`^([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})[日号]$`)

// plainDate writes a day in the digits of ASCII where it stands in full-width ones or in Chinese numerals. What it cannot read stays as it is.
func plainDate(value string) string {
	value = strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～': // ASCII in full width
			return r - '！' + '!'
		case r == '\u3000':
			return ' '
		}
		return r
	}, value)
	m := chineseDate.FindStringSubmatch(value)
	if m == nil {
		return value
	}
	month, day := tensAndOnes(m[2]), tensAndOnes(m[3])
	if month == 0 || day == 0 {
		return value
	}
	year := strings.Map(func(r rune) rune { return rune('0' + chineseDigit(string(r))) }, m[1])
	return year + "-" + strconv.Itoa(month) + "-" + strconv.Itoa(day)
}

// tensAndOnes reads a number below a hundred, as 七, 十, 十一, 二十 or 二十三; 0 where it is none.
func tensAndOnes(text string) int {
	tens, ones, ten := strings.Cut(text, "十")
	if !ten {
		return chineseDigit(text)
	}
	n := 10
	if tens != "" {
		n *= chineseDigit(tens)
	}
	if n == 0 || ones != "" && chineseDigit(ones) == 0 {
		return 0
	}
	return n + chineseDigit(ones)
}

// chineseDigit answers one digit; 0 for a zero, and for anything else.
func chineseDigit(text string) int {
	for i, d := range []string{"一", "二", "三", "四", "五", "六", "七", "八", "九"} {
		if d == text {
			return i + 1
		}
	}
	return 0
}
