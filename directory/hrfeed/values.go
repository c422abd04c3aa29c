package hrfeed

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-im/rollcall/directory"
)

// moment is a day, whose place in time depends on somebody's zone, or an instant.
type moment struct {
	said  bool // a value or a deletion stands there
	clear bool // nothing holds any more; of an end: there is none
	blank bool // by an empty cell of a full file
	at    time.Time
	day   bool // at holds a day, at 00:00 UTC
	clock bool // at holds a day with a time of that zone, as if it were UTC
}

// begin answers when the day begins, or the instant itself.
func (m moment) begin(zone *time.Location) time.Time {
	switch {
	case !m.said || m.clear:
		return time.Time{}
	case m.day, m.clock:
		return directory.OnWall(m.at, zone).UTC()
	}
	return m.at.UTC()
}

// over answers when the day is over: a last day lasts until midnight. An instant is that instant.
func (m moment) over(zone *time.Location) time.Time {
	if m.said && !m.clear && m.day {
		return directory.OnWall(m.at.AddDate(0, 0, 1), zone).UTC()
	}
	return m.begin(zone)
}

var (
	errSerial = errors.New("it looks like the number by which Excel keeps a day; save the file as .xlsx, or show the column as a date")
	errShown  = errors.New("it looks like the number by which Excel keeps a day, and the cell is not shown as a date; give the column a format of dates")
)

// readDate reads what people write for a day. order is Mapping.DateOrder.
func readDate(c cell, order string) (moment, error) {
	switch c.sort {
	case broken:
		return moment{}, errors.New("the cell holds an error of the workbook")
	case formula:
		return moment{}, errors.New("the cell holds a formula without a value")
	case null:
		return moment{said: true, clear: true}, nil
	case number:
		return readSerial(c)
	}
	value := plainDate(strings.TrimPrefix(c.text, "'"))
	switch strings.ToLower(value) {
	case "":
		return moment{}, nil
	case "-", "长期", "无固定期限", "无期限", "至今", "无", "永久", "permanent", "never", "open-ended", "none":
		return moment{said: true, clear: true}, nil
	}
	m, err := dateOf(value, order)
	if err == nil && m.at.Year() >= 9999 {
		return moment{said: true, clear: true}, nil
	}
	if err == nil && (m.at.Year() < 1900 || m.at.Year() > 2200) {
		return moment{}, fmt.Errorf("the year %d cannot be meant", m.at.Year())
	}
	return m, err
}

var (
	numberedDate = regexp.MustCompile(`^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?(.*)$`)
	ambiguous    = regexp.MustCompile(`^(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})(.*)$`)
	shortYear    = regexp.MustCompile(`^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,2}$`)
	timeOfDay    = regexp.MustCompile(`^(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?$`)
)

func dateOf(value, order string) (moment, error) {
	if m := numberedDate.FindStringSubmatch(value); m != nil {
		return assemble(m[1], m[2], m[3], m[4], value)
	}
	if len(value) == 8 && strings.Trim(value, "0123456789") == "" {
		return assemble(value[:4], value[4:6], value[6:], "", value)
	}
	if len(value) <= 5 && strings.Trim(value, "0123456789") == "" {
		return moment{}, errSerial
	}
	if m := ambiguous.FindStringSubmatch(value); m != nil {
		first, _ := strconv.Atoi(m[1])
		second, _ := strconv.Atoi(m[2])
		switch {
		case order == "dmy" || order == "" && first > 12 || first == second:
			return assemble(m[3], m[2], m[1], m[4], value)
		case order == "mdy" || second > 12:
			return assemble(m[3], m[1], m[2], m[4], value)
		}
		return moment{}, fmt.Errorf("day and month may be meant either way round; write %s-%02d-%02d or %s-%02d-%02d, or say date_order in the mapping", m[3], second, first, m[3], first, second)
	}
	if shortYear.MatchString(value) {
		return moment{}, errors.New("the year has two digits only")
	}
	for _, layout := range []string{"2 Jan 2006", "Jan 2, 2006", "02-Jan-2006", "2 January 2006", "January 2, 2006"} {
		if at, err := time.Parse(layout, value); err == nil {
			return moment{said: true, at: at, day: true}, nil
		}
	}
	return moment{}, errors.New("it is no date; write 2026-01-31")
}

// assemble checks the parts of a date. What follows may be a time, of the person's zone unless it names another.
func assemble(year, month, day, rest, value string) (moment, error) {
	y, _ := strconv.Atoi(year)
	mo, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	at := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if at.Day() != d || int(at.Month()) != mo {
		return moment{}, errors.New("there is no such day")
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return moment{said: true, at: at, day: true}, nil
	}
	if full, err := time.Parse(time.RFC3339, strings.Replace(value, " ", "T", 1)); err == nil {
		return moment{said: true, at: full.UTC()}, nil
	}
	t := timeOfDay.FindStringSubmatch(strings.TrimSpace(strings.TrimPrefix(rest, "T")))
	if t == nil {
		return moment{}, errors.New("what follows the day is no time; write 2026-01-31 18:00")
	}
	h, _ := strconv.Atoi(t[1])
	min, _ := strconv.Atoi(t[2])
	s, _ := strconv.Atoi(t[3])
	if h > 23 || min > 59 || s > 59 {
		return moment{}, errors.New("there is no such time")
	}
	if h == 0 && min == 0 && s == 0 && strings.Contains(rest, " ") || rest == "00:00:00" || rest == "0:00:00" || rest == "00:00" || rest == "0:00" {
		return moment{said: true, at: at, day: true}, nil // how spreadsheets write a day
	}
	return moment{said: true, clock: true, at: at.Add(time.Duration(h)*time.Hour + time.Duration(min)*time.Minute + time.Duration(s)*time.Second)}, nil
}

// readSerial reads the number by which a workbook keeps a day (ECMA-376 section 18.17.4.1), or 20260131.
func readSerial(c cell) (moment, error) {
	if len(c.text) == 8 && strings.Trim(c.text, "0123456789") == "" {
		return assemble(c.text[:4], c.text[4:6], c.text[6:], "", c.text)
	}
	f, err := strconv.ParseFloat(c.text, 64)
	switch {
	case err != nil:
		return moment{}, errors.New("it is no date")
	case c.serial && !c.dated:
		return moment{}, errShown
	case !c.serial:
		return moment{}, errors.New("a number is no date; write 2026-01-31")
	case f < 61 || f > 109574: // up to 2199; 60 is a day that never was
		return moment{}, errors.New("the number is no day of our time")
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if c.epoch1904 {
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	day := int(f)
	at := epoch.AddDate(0, 0, day)
	seconds := int((f-float64(day))*86400 + 0.5)
	if seconds == 0 {
		return moment{said: true, at: at, day: true}, nil
	}
	return moment{said: true, at: at.Add(time.Duration(seconds) * time.Second), clock: true}, nil
}

// plain answers a cell as text. A number that a workbook keeps is written without an exponent where nothing is lost by it.
func plain(c cell) (string, error) {
	switch c.sort {
	case broken:
		return "", errors.New("the cell holds an error of the workbook")
	case formula:
		return "", errors.New("the cell holds a formula without a value")
	case number:
		if c.dated {
			m, err := readSerial(c)
			return m.at.Format(time.DateOnly), err
		}
		if strings.Trim(c.text, "0123456789") == "" && len(c.text) <= 15 {
			return c.text, nil
		}
		f, err := strconv.ParseFloat(c.text, 64)
		if err != nil {
			return "", errors.New("it is no number")
		}
		if f == float64(int64(f)) && f < 1e15 && f > -1e15 {
			return strconv.FormatInt(int64(f), 10), nil
		}
		if f >= 1e15 || f <= -1e15 {
			return "", errors.New("a workbook keeps 15 digits of a number: the others are lost; make the column text")
		}
		return c.text, nil
	}
	return c.text, nil
}

// unseen names the characters of a text that show nothing and that no script needs, or that turn letters round: empty where there are none.
func unseen(value string) string {
	var found []string
	for _, r := range value {
		switch {
		case r == '\u200c' || r == '\u200d': // join letters in Persian, and in many Indian scripts
			continue
		case r == '\u00ad' || r == '\u180e' || r == '\u2028' || r == '\u2029', r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e',
			r >= '\u2060' && r <= '\u206f', r == '\ufeff', unicode.IsControl(r):
			if name := fmt.Sprintf("U+%04X", r); !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ", ")
}

var exponent = regexp.MustCompile(`^\d(\.\d+)?[eE]\+?\d+$`)

// readNumber reads an employee number; of what a spreadsheet made of it nothing is guessed.
func readNumber(c cell) (string, error) {
	if c.sort == truth {
		return "", errors.New("true and false are no number")
	}
	if c.dated {
		return "", errors.New("the column shows dates, not numbers")
	}
	value, err := plain(c)
	if err != nil {
		return "", err
	}
	if c.sort == number && strings.Trim(value, "0123456789") != "" {
		return "", errors.New("it is no employee number")
	}
	value = strings.TrimPrefix(value, "'")
	if exponent.MatchString(value) && strings.ContainsAny(value, "+.") {
		return "", errors.New("a spreadsheet has shortened the number; make the column text")
	}
	return value, nil
}
