package session

import "strings"

// forwardedFor reads what stands in Forwarded (RFC 7239 section 4): of each hop the "for", the nearest last, "" where it says none. ok is false where
// the text is no such list: what a client wrote before the first proxy must not be able to swallow what that proxy said.
func forwardedFor(text string) (hops []string, ok bool) {
	for text = blank(text); text != ""; {
		if text[0] == ',' { // an empty element, RFC 9110 section 5.6.1.2
			text = blank(text[1:])
			continue
		}
		hop, said, rest, ok := element(text)
		if !ok || rest != "" && rest[0] != ',' {
			return nil, false
		}
		if !said {
			hop = ""
		}
		hops, text = append(hops, hop), rest
	}
	return hops, true
}

// element reads the pairs of one hop, and answers its "for" and what stands behind it.
func element(text string) (hop string, said bool, rest string, ok bool) {
	for {
		if text != "" && text[0] != ';' && text[0] != ',' {
			name, value, behind, ok := pair(text)
			if !ok {
				return "", false, "", false
			}
			if strings.EqualFold(name, "for") {
				if said { // no parameter twice, section 4
					return "", false, "", false
				}
				hop, said = value, true
			}
			text = behind
		}
		if text = blank(text); text == "" || text[0] != ';' {
			return hop, said, text, true
		}
		text = blank(text[1:])
	}
}

// pair reads token "=" ( token / quoted-string ).
func pair(text string) (name, value, rest string, ok bool) {
	name, text = tokenOf(text)
	if name == "" || text == "" || text[0] != '=' {
		return "", "", "", false
	}
	if text = text[1:]; text == "" || text[0] != '"' {
		value, rest = tokenOf(text)
		return name, value, rest, value != ""
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return name, out.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", "", false
}

// tokenOf cuts a token (RFC 9110 section 5.6.2) off the beginning of text.
func tokenOf(text string) (token, rest string) {
	end := strings.IndexFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

func blank(text string) string { return strings.TrimLeft(text, " \t") }
