package demo

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// splitDN cuts a name at the commas that are not escaped; nil where a part has no "=".
func splitDN(dn string) []string {
	if strings.TrimSpace(dn) == "" {
		return nil
	}
	var parts []string
	start := 0
	for i := 0; i <= len(dn); i++ {
		if i < len(dn) && dn[i] == '\\' {
			i++
			continue
		}
		if i >= len(dn) || dn[i] == ',' {
			part := strings.TrimSpace(dn[start:min(i, len(dn))])
			if name, _, ok := strings.Cut(part, "="); !ok || strings.TrimSpace(name) == "" {
				return nil
			}
			parts = append(parts, part)
			start = i + 1
		}
	}
	return parts
}

// valid tells whether a text is a distinguished name of at least one part (RFC 4514 section 3): none of which is empty, and with nothing unescaped that
// has to be escaped.
func valid(dn string) bool {
	parts := splitDN(dn)
	for _, part := range parts {
		_, value, _ := strings.Cut(part, "=")
		if value = strings.TrimSpace(value); value == "" {
			return false
		}
		for i := 0; i < len(value); i++ {
			switch value[i] {
			case '"', '<', '>', ';', 0:
				return false
			case '\\':
				if i+1 == len(value) {
					return false
				}
				if i++; strings.IndexByte(` "#+,;<=>\`, value[i]) < 0 {
					if i+1 == len(value) {
						return false
					}
					if _, err := hex.DecodeString(value[i : i+2]); err != nil {
						return false
					}
					i++
				}
			}
		}
	}
	return len(parts) > 0
}

// operational tells whether only the server writes an attribute (NO-USER-MODIFICATION).
func operational(name string) bool {
	return slices.Contains([]string{"entryuuid", "entrycsn", "contextcsn", "entrydn", "createtimestamp", "modifytimestamp", "creatorsname", "modifiersname",
		"structuralobjectclass", "subschemasubentry", "hassubordinates", "objectguid", "usnchanged", "usncreated", "whencreated", "whenchanged"}, strings.ToLower(name))
}

// fold makes names comparable: without case, without blanks around commas and "=".
func fold(dn string) string {
	parts := splitDN(dn)
	for i, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		parts[i] = strings.ToLower(strings.TrimSpace(name)) + "=" + escape(strings.ToLower(unescape(strings.TrimSpace(value))))
	}
	return strings.Join(parts, ",")
}

// within tells whether the folded name is base or beneath it.
func within(name, base string) bool {
	return base == "" || name == base || strings.HasSuffix(name, ","+base)
}

// unescape undoes RFC 4514 section 2.4.
func unescape(value string) string {
	if !strings.Contains(value, `\`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		if i+2 < len(value) {
			if raw, err := hex.DecodeString(value[i+1 : i+3]); err == nil {
				b.Write(raw)
				i += 2
				continue
			}
		}
		i++
		b.WriteByte(value[i])
	}
	return b.String()
}

func escape(value string) string {
	if !strings.ContainsAny(value, `,\+"<>;=`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if strings.IndexByte(`,\+"<>;=`, value[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// same compares values as caseIgnoreMatch does, and as distinguishedNameMatch where both are names.
func same(a, b string) bool {
	if strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")) {
		return true
	}
	return strings.Contains(a, "=") && strings.Contains(b, "=") && fold(a) != "" && fold(a) == fold(b)
}

func newUUID() string {
	var raw [16]byte
	rand.Read(raw[:])
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return formatUUID(raw[:])
}

func formatUUID(raw []byte) string {
	h := hex.EncodeToString(raw)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func parseUUID(text string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, fmt.Errorf("entryUUID %q is not a UUID", text)
	}
	return raw, nil
}
