package session

import (
	"cmp"
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
	login  string // what was given as a login name, where an account has it: else it may be a password in the wrong field
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
	case codeRefused:
		return "The user name or the password is not right, or there were too many failures: then try again later.", "用户名或密码不正确，或失败次数过多；若是后者，请稍后再试。"
	case codeTooMany:
		return "There were too many failures. Wait before you try again.", "失败次数过多，请稍后再试。"
	case codeUnavailable:
		return "The directory cannot be reached, so no password can be checked. Try again shortly.", "暂时无法连接目录，无法核对密码，请稍后重试。"
	case "password_expired":
		return "Your password has expired. Change it where you sign in to your computer or mail, then come back.", "你的密码已过期。请在公司电脑或邮箱处修改密码后再登录。"
	case "password_must_change":
		return "Your password must be changed first. Change it where you sign in to your computer or mail, then come back.", "你需要先修改密码。请在公司电脑或邮箱处修改密码后再登录。"
	case "account_disabled":
		return "Your account in the directory may not be used now.", "你在目录中的账号目前不可使用。"
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
	if n.code == "login_state" || n.code == "idp_unavailable" || n.code == codeUnavailable || n.code == codeTooMany || !d.refusals.Allow() {
		return
	}
	record := audit.Record{At: d.Now(), Actor: "anonymous", Action: "session.refused", Subject: string(n.person), Cause: n.code, RequestID: string(httpapi.RequestFrom(r.Context())),
		Public: map[string]any{"issuer": cmp.Or(n.claims.Issuer, d.Issuer)}}
	if n.login != "" {
		record.Personal = map[string]any{"login": n.login}
	} else if n.claims.Subject != "" {
		record.Personal = map[string]any{"subject": n.claims.Subject, "email": n.claims.Email}
	}
	if n.person != "" && n.code != codeRefused { // a wrong password is nobody's doing yet
		record.Actor = string(n.person)
	}
	if err := d.DB.Tx(r.Context(), func(tx *db.Tx) error { return audit.Append(tx, record) }); err != nil {
		d.Log.ErrorContext(r.Context(), "cannot audit a refused sign-in", "error", err)
	}
}
