package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-im/rollcall/internal/mail/mailtest"
)

// postbox [tls]: starts a server that takes mail and keeps it; its address is in $SMTP, the authority of its certificate in the file $SMTP_CA.
func postboxWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	var err error
	s.postbox, err = mailtest.Start(filepath.Join(s.certs, "srv.pem"), filepath.Join(s.certs, "srv.key"), len(args) == 1)
	ts.Check(err)
	ts.Defer(s.postbox.Close)
	ts.Setenv("SMTP", s.postbox.Addr)
	ts.Setenv("SMTP_CA", filepath.Join(s.certs, "ca.pem"))
}

// postbox-refuses COMMAND [ANSWER]: from now on a command is answered so; without an answer as usual.
func postboxRefusesWord(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).postbox.Refuse(args[0], strings.Join(args[1:], " "))
}

var (
	mailedLink = regexp.MustCompile(`/auth/guest\?link=(\S+)`)
	mailedCode = regexp.MustCompile(`Code: (\S+)`)
	shownCode  = regexp.MustCompile(`<p class="code">([0-9A-Z-]+)</p>`)
)

// mailed ADDRESS NAME [COUNT]: waits until an address has COUNT mails (1) and puts the link of the last one into $LINK_NAME, its code into $CODE_NAME. With "!" it has fewer and gets no more
// within a second.
func mailedWord(ts *testscript.TestScript, neg bool, args []string) {
	s, count := of(ts), 1
	if len(args) > 2 {
		count = int(args[2][0] - '0')
	}
	for deadline := time.Now().Add(time.Duration(map[bool]int{false: 20, true: 1}[neg]) * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var mine []mailtest.Mail
		for _, m := range s.postbox.Taken() {
			if m.To == args[0] {
				mine = append(mine, m)
			}
		}
		if len(mine) >= count {
			if neg {
				ts.Fatalf("%s has %d mails", args[0], len(mine))
			}
			last := mine[count-1]
			if !last.Secure {
				ts.Fatalf("mail came without TLS")
			}
			for name, of := range map[string]*regexp.Regexp{"LINK_": mailedLink, "CODE_": mailedCode} {
				if found := of.FindStringSubmatch(last.Text); found != nil {
					ts.Setenv(name+args[1], found[1])
				}
			}
			return
		}
		if time.Now().After(deadline) {
			if !neg {
				ts.Fatalf("%s has %d mails, not %d\nserver log:\n%s", args[0], len(mine), count, s.logText())
			}
			return
		}
	}
}

// browse WHO METHOD PATH [KEY=VALUE…]: asks with the cookies that the browser WHO has; a form where there are values. It follows where it is sent. The status must be below 400, with "!" 400 or above. A code
// on the page goes into $SHOWN_WHO.
func browseWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	if s.browsers[args[0]] == nil {
		jar, err := cookiejar.New(nil)
		ts.Check(err)
		if s.browsers == nil {
			s.browsers = map[string]*http.Client{}
		}
		s.browsers[args[0]] = &http.Client{Jar: jar}
	}
	form := url.Values{}
	for _, arg := range args[3:] {
		key, value, _ := strings.Cut(arg, "=")
		form.Set(key, value)
	}
	request, err := http.NewRequest(args[1], ts.Getenv("ROLLCALL_URL")+args[2], strings.NewReader(form.Encode()))
	ts.Check(err)
	if args[1] == "POST" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", ts.Getenv("ROLLCALL_URL"))
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	s.sendBy(ts, s.browsers[args[0]], request)
	if failed := s.status >= 400; failed != neg {
		ts.Fatalf("%s %s answered %d: %s\nserver log:\n%s", args[1], args[2], s.status, s.body, s.logText())
	}
	if found := shownCode.FindSubmatch(s.body); found != nil {
		ts.Setenv("SHOWN_"+strings.ToUpper(args[0]), string(found[1]))
	}
}

// quiet-about NAME…: none of these variables stands in the server's log or in its database, where that is one file.
func quietAboutWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	text := s.logText()
	if path, lite := strings.CutPrefix(s.dsn, "sqlite:"); lite {
		files, _ := filepath.Glob(path + "*")
		for _, file := range files {
			raw, err := os.ReadFile(file)
			ts.Check(err)
			text += string(raw)
		}
	}
	for _, name := range args {
		if value := ts.Getenv(name); value == "" || strings.Contains(text, value) {
			ts.Fatalf("$%s is empty, or stands in the log or the database", name)
		}
	}
}

// link-of URL NAME: puts the link in the address in $URL into $NAME.
func linkOfWord(ts *testscript.TestScript, _ bool, args []string) {
	found := mailedLink.FindStringSubmatch(ts.Getenv(args[0]))
	if found == nil {
		ts.Fatalf("%s is no link", ts.Getenv(args[0]))
	}
	ts.Setenv(args[1], found[1])
}
