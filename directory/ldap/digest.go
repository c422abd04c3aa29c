package ldap

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// digest stands for the content of an entry.
type digest [16]byte

func (d digest) text() string {
	if d == (digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

func parseDigest(text []byte) (d digest) {
	if len(text) != hex.EncodedLen(len(d)) {
		return digest{}
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return digest{}
	}
	return d
}

// digester makes digests of entries, one after the other.
type digester struct {
	names  []string
	values []string
	buf    []byte
}

// refers tells whether an attribute of a group lists its members, which have a digest of their own.
func refers(name string) bool {
	return name == "member" || name == "uniquemember" || name == "memberuid"
}

// entry answers the digest of everything that was read of o but its name and its members. Neither the order of attributes nor of values counts.
func (d *digester) entry(o Object) digest {
	d.names = d.names[:0]
	for name, values := range o.Attrs {
		if len(values) > 0 && !(o.Class == ClassGroup && refers(name)) {
			d.names = append(d.names, name)
		}
	}
	slices.Sort(d.names)
	d.buf = append(d.buf[:0], o.Class...)
	for _, name := range d.names {
		d.put(name)
		values := o.Attrs[name]
		d.buf = binary.AppendUvarint(d.buf, uint64(len(values)))
		if len(values) > 1 {
			d.values = append(d.values[:0], values...)
			slices.Sort(d.values)
			values = d.values
		}
		for _, v := range values {
			d.put(v)
		}
	}
	return d.done()
}

func (d *digester) put(text string) {
	d.buf = binary.AppendUvarint(d.buf, uint64(len(text)))
	d.buf = append(d.buf, text...)
}

// done answers the digest of what was put.
func (d *digester) done() (out digest) {
	sum := sha256.Sum256(d.buf)
	copy(out[:], sum[:])
	return out
}

// members answers the digest of a set, in whatever order.
func (d *digester) members(set []*object) digest {
	total := [2]uint64{1, uint64(len(set))}
	for _, o := range set {
		d.buf = append(d.buf[:0], o.key...)
		sum := sha256.Sum256(d.buf)
		total[0] += binary.BigEndian.Uint64(sum[:8])
		total[1] += binary.BigEndian.Uint64(sum[8:16])
	}
	var out digest
	binary.BigEndian.PutUint64(out[:8], total[0])
	binary.BigEndian.PutUint64(out[8:], total[1])
	return out
}
