package session

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed refused.html
var refusedPage string

// refused is why a browser does not come in.
type refused struct {
	status int
	code   string
	err    error
	person id.Person
	claims Claims
}

// text answers what a person reads: English, Chinese.
func (n refused) text() (string, string) {
	switch n.code {
	case "person_frozen":
		return "Your account has no access to Rollcall now. The directory decides this, not the sign-in.", "你的账号目前没有 Rollcall 的访问权限。这由目录决定，与登录无关。"
	case "person_unknown":
		return "The directory does not know your account.", "目录中没有你的账号。"
	case "identity_conflict":
		return "Somebody else signs in under this person already. Ask an administrator.", "已有其他账号以此人身份登录，请联系管理员。"
	case "idp_unavailable":
		return "The identity provider does not answer. Try again shortly.", "身份提供方没有响应，请稍后重试。"
	case "login_state":
		return "This sign-in was not begun in this browser, or took too long. Begin again.", "此次登录不是在本浏览器发起的，或已超时。请重新登录。"
	case "idp_refused":
		return "The identity provider refused the sign-in.", "身份提供方拒绝了登录。"
	}
	return "The sign-in could not be proved.", "无法验证此次登录。"
}

// refuse answers a page that says so, and audits what was a proof of somebody.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, n refused) {
	d.auditRefusal(r, n)
	d.Log.InfoContext(r.Context(), "sign-in refused", "request", httpapi.RequestFrom(r.Context()), "code", n.code, "person", n.person, "error", n.err)
	w.Header().Set("Cache-Control", "no-store")
	en, zh := n.text()
	if strings.Contains(r.Header.Get("Accept"), "json") {
		httpapi.WriteError(w, r, httpapi.NewProblem(n.status, n.code, en))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(n.status)
	page := template.Must(template.New("refused").Parse(refusedPage))
	page.Execute(w, map[string]any{"English": en, "Chinese": zh, "Code": n.code, "Request": httpapi.RequestFrom(r.Context())})
}

// auditRefusal keeps refusals that reached the identity provider. What never got that far proves nothing about anybody,
// and anybody could fill the log with it.
func (d *Door) auditRefusal(r *http.Request, n refused) {
	if n.code == "login_state" || n.code == "idp_unavailable" || !d.refusals.Allow() {
		return
	}
	record := audit.Record{At: d.Now(), Actor: "anonymous", Action: "session.refused", Subject: string(n.person), Cause: n.code, RequestID: string(httpapi.RequestFrom(r.Context())),
		Public: map[string]any{"issuer": d.Issuer}}
	if n.claims.Subject != "" {
		record.Personal = map[string]any{"subject": n.claims.Subject, "email": n.claims.Email}
	}
	if n.person != "" {
		record.Actor = string(n.person)
	}
	if err := d.DB.Tx(r.Context(), func(tx *db.Tx) error { return audit.Append(tx, record) }); err != nil {
		d.Log.ErrorContext(r.Context(), "cannot audit a refused sign-in", "error", err)
	}
}
