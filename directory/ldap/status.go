package ldap

import (
	"strconv"
	"strings"
	"time"
)

// statusAttributes say whether an account may be used. Lock-out by wrong passwords is not among them: it is
// no statement about employment.
var statusAttributes = []string{
	"useraccountcontrol", "accountexpires", // Active Directory
	"nsaccountlock",           // 389, FreeIPA
	"pwdaccountlockedtime",    // OpenLDAP's password policy
	"ds-pwp-account-disabled", // PingDirectory, OpenDJ
	"logindisabled",           // eDirectory
	"loginexpirationtime",     // eDirectory
	"pwdendtime",              // draft-behera-ldap-password-policy, OpenLDAP from 2.5 on
	"shadowexpire",            // posix
}

const (
	accountDisabled = 2 // [MS-ADTS] section 2.2.16: ADS_UF_ACCOUNTDISABLE
	// lockedForEver is how the password policy draft says "until an administrator unlocks": 000001010000Z, with seconds or without.
	lockedForEver = "000001010000"
)

// status tells whether the directory says that the account may be used, and from when on it may not.
func status(o Object) (active bool, endAt time.Time) {
	flag := func(name string) bool {
		v := o.value(name)
		return strings.EqualFold(v, "true") || v == "1"
	}
	control, err := strconv.ParseInt(o.value("useraccountcontrol"), 10, 64)
	disabled := err == nil && control&accountDisabled != 0 ||
		flag("nsaccountlock") || flag("logindisabled") || flag("ds-pwp-account-disabled") ||
		strings.HasPrefix(o.value("pwdaccountlockedtime"), lockedForEver)
	for _, at := range []time.Time{fileTime(o.value("accountexpires")), shadowDay(o.value("shadowexpire")),
		generalizedTime(o.value("loginexpirationtime")), generalizedTime(o.value("pwdendtime"))} {
		if !at.IsZero() && (endAt.IsZero() || at.Before(endAt)) {
			endAt = at
		}
	}
	return !disabled, endAt
}

// fileTime reads 100 ns since 1601; 0 and the largest number mean never ([MS-ADA1] accountExpires).
func fileTime(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	const epoch = 11644473600 // seconds from 1601 to 1970
	if err != nil || n <= 0 || n/1e7-epoch > 253402300799 {
		return time.Time{}
	}
	return time.Unix(n/1e7-epoch, n%1e7*100).UTC()
}

// generalizedTime reads a time of RFC 4517 section 3.3.13; the zero time where text is none.
func generalizedTime(text string) time.Time {
	for _, layout := range []string{"20060102150405Z", "20060102150405.999999Z", "20060102150405Z0700", "20060102150405.999999Z0700", "200601021504Z"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// shadowDay reads days since 1970; -1 is never, and 0, which shadow(5) warns of, says nothing.
func shadowDay(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 2932896 {
		return time.Time{}
	}
	return time.Unix(n*86400, 0).UTC()
}
