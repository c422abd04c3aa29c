package ldap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// place is what a Cursor holds: a cookie of the server, and what it was given for.
type place struct {
	For    string `json:"for"` // fingerprint
	Cookie []byte `json:"cookie"`
}

// fingerprint names everything a cookie depends on. Where it changed, the cookie would leave out what came into view.
func (c *conn) fingerprint() string {
	parts := []string{string(c.root.follow), c.root.vendor, fold(c.p.Base), fold(c.p.BindDN), c.idAttribute()}
	if c.root.ownCookies {
		parts = append(parts, c.at.address)
	}
	for _, class := range allClasses {
		parts = append(parts, c.filter(class))
		parts = append(parts, c.p.attributes(class, c.idAttribute())...)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// cursor makes a Cursor; without a cookie it is the beginning.
func (c *conn) cursor(cookie string) Cursor {
	if cookie == "" {
		return ""
	}
	text, err := json.Marshal(place{For: c.fingerprint(), Cookie: []byte(cookie)})
	if err != nil {
		return ""
	}
	return Cursor(text)
}

// cookie reads a Cursor.
func (c *conn) cookie(from Cursor) (string, error) {
	if from == "" {
		return "", nil
	}
	var at place
	if err := json.Unmarshal([]byte(from), &at); err != nil || len(at.Cookie) == 0 {
		return "", fmt.Errorf("%w: it cannot be read", ErrCursorLost)
	}
	if at.For != c.fingerprint() {
		return "", fmt.Errorf("%w: it is for another base, account or mapping, or for a server whose cookies are its own", ErrCursorLost)
	}
	return string(at.Cookie), nil
}

// csns holds, by replica, the number of the newest change that is known (draft-chu-ldap-csn).
type csns map[string]string

// parseCSNs reads numbers with separators between them; ok is false where one is none.
func parseCSNs(text, separators string) (csns, bool) {
	out := csns{}
	for csn := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		parts := strings.Split(csn, "#")
		if len(parts) != 4 || len(parts[0]) < 15 || len(parts[2]) != 3 {
			return nil, false
		}
		out[parts[2]] = max(out[parts[2]], csn)
	}
	return out, len(out) > 0
}

// cookieCSNs reads the numbers of a cookie of OpenLDAP: rid=…,sid=…,csn=…;…,delcsn=….
func cookieCSNs(cookie string) (csns, bool) {
	for field := range strings.SplitSeq(cookie, ",") {
		if text, ok := strings.CutPrefix(field, "csn="); ok {
			return parseCSNs(text, ";")
		}
	}
	return nil, false
}

// text writes a cookie. It names no sid: a provider leaves out the changes of the replica that a cookie names, and
// the cookie of one server may be shown to another.
func (n csns) text() string {
	var list []string
	for _, csn := range n {
		list = append(list, csn)
	}
	if slices.Sort(list); len(list) == 0 {
		return ""
	}
	return "rid=000,csn=" + strings.Join(list, ";")
}

// merge takes over what is newer: a cookie that comes with a change names only the replica that made it.
func (n csns) merge(other csns) {
	for sid, csn := range other {
		n[sid] = max(n[sid], csn)
	}
}

// covers tells whether everything that other knows is known to n.
func (n csns) covers(other csns) bool {
	for sid, csn := range other {
		if n[sid] < csn {
			return false
		}
	}
	return true
}

// older tells whether other knows more of a replica that n knows, too.
func (n csns) older(other csns) bool {
	for sid, csn := range other {
		if mine, ok := n[sid]; ok && mine < csn {
			return true
		}
	}
	return false
}

// merged is the cookie to ask with after a server gave next to one who had last.
func (q quirks) merged(last, next string) string {
	if q.aheadCookies { // it gives older ones, too, and some without a number
		old, known := changeNumber(last)
		if n, ok := changeNumber(next); known && (!ok || n < old) {
			return last
		}
	}
	if !q.markIsCookie {
		return next
	}
	a, _ := cookieCSNs(last)
	b, ok := cookieCSNs(next)
	if !ok {
		return last
	}
	if a == nil {
		a = csns{}
	}
	a.merge(b)
	return a.text()
}

// behind tells whether a server with this mark has not seen what cookie names. It does not know where the account reads no mark.
func (q quirks) behind(mark, cookie string) bool {
	if !q.markIsCookie {
		return false
	}
	have, ok := parseCSNs(mark, " ")
	seen, known := cookieCSNs(cookie)
	return ok && known && !have.covers(seen)
}

// cookieOf makes a cookie of a mark.
func (q quirks) cookieOf(mark string) string {
	if !q.markIsCookie {
		return ""
	}
	n, ok := parseCSNs(mark, " ")
	if !ok {
		return ""
	}
	return n.text()
}

// newest is the newest state that was shown by any server of a list, where their marks can be compared.
type newest struct {
	mu   sync.Mutex
	csns csns
}

// note takes a cookie over.
func (n *newest) note(c *conn, cookie string) {
	seen, ok := cookieCSNs(cookie)
	if !ok || !c.root.markIsCookie || len(c.p.servers) < 2 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.csns == nil {
		n.csns = csns{}
	}
	n.csns.merge(seen)
}

// unseen tells whether the server with this mark has not seen it, and otherwise takes the mark over. A server that is alone is
// believed: its administrator may have restored it.
func (n *newest) unseen(c *conn, mark string) bool {
	if len(c.p.servers) < 2 {
		return false
	}
	n.mu.Lock()
	behind := c.root.behind(mark, n.csns.text())
	n.mu.Unlock()
	if !behind {
		n.note(c, c.root.cookieOf(mark))
	}
	return behind
}
