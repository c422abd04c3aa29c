package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/internal/id"
)

// The kinds of message.
const (
	Text = "text" // markdown
	Code = "code"
)

const (
	maxRunes    = 40_000
	maxClientID = 128
)

// Author is who wrote a message, by today's name.
type Author struct {
	ID   id.Person `json:"id"`
	Name string    `json:"name"`
}

// Message is one message as readers get it.
type Message struct {
	ID       id.Message `json:"id"`
	Channel  id.Channel `json:"channel"`
	Seq      int64      `json:"seq" doc:"place in the channel's log"`
	Kind     string     `json:"kind" enum:"text,code"`
	Text     string     `json:"text" doc:"as it was written"`
	Language string     `json:"language,omitempty" doc:"of code; absent: plain"`
	HTML     string     `json:"html" doc:"rendered and made safe by the server"`
	Author   Author     `json:"author"`
	ClientID string     `json:"client_id"`
	At       time.Time  `json:"at"`
	Erased   bool       `json:"erased,omitempty" doc:"what it said was erased with its author"`

	rev int64
}

// Draft is a message before it is written.
type Draft struct {
	Channel  id.Channel
	ClientID string
	Kind     string
	Text     string
	Language string
}

// check refuses what is not a message and answers the draft as it is stored.
func (d Draft) check() (Draft, error) {
	switch d.Kind {
	case "":
		d.Kind = Text
	case Text, Code:
	default:
		return d, fmt.Errorf("%w: kind is text or code", ErrInvalid)
	}
	for _, field := range []string{d.Text, d.Language, d.ClientID} {
		if !utf8.ValidString(field) || strings.ContainsRune(field, 0) {
			return d, fmt.Errorf("%w: text is UTF-8 without the character zero", ErrInvalid)
		}
	}
	if len(d.ClientID) > maxClientID {
		return d, fmt.Errorf("%w: a client_id has at most %d bytes", ErrInvalid, maxClientID)
	}
	if utf8.RuneCountInString(d.Text) > maxRunes {
		return d, ErrTooLong
	}
	d.Text = strings.ReplaceAll(d.Text, "\r\n", "\n")
	if strings.IndexFunc(d.Text, visible) < 0 {
		return d, ErrEmpty
	}
	if d.ClientID == "" {
		d.ClientID = string(id.New[id.Request]()) // no retry can name it
	}
	if d.Kind == Text {
		d.Language = ""
	}
	return d, nil
}

// visible tells whether a reader sees anything of r.
func visible(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Mn, r)
}
