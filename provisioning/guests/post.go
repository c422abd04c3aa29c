package guests

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/mail"
	"github.com/rollcall-im/rollcall/internal/sms"
)

// Texter hands on one short message, and returns when it was taken. An *sms.Error that is Forever is not tried again.
type Texter interface {
	Send(ctx context.Context, m sms.Message) error
}

// Mailer sends one message, and returns when it was taken. A *mail.Error that is Forever is not tried again.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

const (
	postEvery = 5 * time.Second // how often what is due is looked for, besides when something was written here
	postLease = 2 * time.Minute // until another node takes what one took and did not finish
)

// Post sends what is to be sent until ctx ends. It runs on every node: what one takes, no other does.
func (e *Engine) Post(ctx context.Context) error {
	for {
		if err := e.PostDue(ctx); err != nil && ctx.Err() == nil {
			e.Log.ErrorContext(ctx, "mail to guests was not sent, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.posts.heard():
		case <-time.After(postEvery):
		}
	}
}

// PostDue sends what is due now.
func (e *Engine) PostDue(ctx context.Context) error {
	for e.Mail != nil || e.Texts != nil {
		var due id.GuestLink
		now := e.clock()
		// A guest whom the directory does not have yet is sent nothing: the link would open nothing.
		if err := e.DB.Read(ctx).Raw(`select l.id from guest_links l join guests g on g.id = l.guest where l.due_at <= ? and g.person <> '' order by l.due_at, l.id limit 1`, db.At(now)).Scan(&due).Error; err != nil || due == "" {
			return err
		}
		if err := e.postOne(ctx, due, now); err != nil {
			return err
		}
	}
	return nil
}

// postOne sends one link. Its secret is made now, so that none stands anywhere before it is in the mail: where it is sent again because nobody knows what became of it, the one of before opens nothing.
func (e *Engine) postOne(ctx context.Context, due id.GuestLink, now time.Time) error {
	text, code := linkPrefix+secret(), codeOf(secret(), "code")
	var row linkRow
	var g Guest
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		var rows []linkRow
		if err := tx.Raw("update guest_links set due_at = ?, tries = tries + 1, hash = ? where id = ? and due_at <= ? returning *", db.At(now.Add(postLease)), hashed(text), due, db.At(now)).Scan(&rows).Error; err != nil || len(rows) == 0 {
			return err // another node took it
		}
		row = rows[0]
		if row.Way == ToSignIn { // its tries are counted from when the code is known
			if err := tx.Exec("update guest_links set code = ?, tries = 0 where id = ?", hashed(code), due).Error; err != nil {
				return err
			}
		}
		var err error
		g, err = one(tx.DB, row.Guest)
		return err
	})
	if err != nil || row.ID == "" {
		return err
	}
	if !now.Before(row.UntilAt.Time) {
		return e.sent(ctx, row, time.Time{}, "it was too late", true)
	}
	if !e.reaches(g.Email) {
		return e.sent(ctx, row, time.Time{}, ErrNoMail.Error(), true)
	}
	if number(g.Email) {
		err = e.Texts.Send(ctx, e.short(row, g, text, code))
	} else {
		err = e.Mail.Send(ctx, e.message(row, g, text, code))
	}
	var refused *mail.Error
	var declined *sms.Error
	switch {
	case err == nil:
		return e.sent(ctx, row, e.clock(), "", true)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &refused) && refused.Forever, errors.As(err, &declined) && declined.Forever:
		e.Log.WarnContext(ctx, "mail to a guest was refused", "link", row.ID, "error", err)
		return e.sent(ctx, row, time.Time{}, err.Error(), true)
	}
	e.Log.WarnContext(ctx, "mail to a guest was not taken, will retry", "link", row.ID, "error", err)
	return e.sent(ctx, row, time.Time{}, err.Error(), false)
}

// sent notes what became of a message; done: it is not tried again.
func (e *Engine) sent(ctx context.Context, row linkRow, at time.Time, failed string, done bool) error {
	due, until := time.Time{}, row.UntilAt.Time
	if !done {
		due = e.clock().Add(min(time.Hour, 5*time.Second<<min(row.Tries-1, 10)))
		if row.Way == ToSignIn {
			due = e.clock().Add(15 * time.Second) // somebody waits for it
		}
	}
	if row.Way == ToSignIn && !at.IsZero() {
		until = at.Add(signInFor)
	}
	return e.DB.Tx(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		if err := tx.Exec("update guest_links set due_at = ?, sent_at = ?, until_at = ?, failed = ? where id = ? and ended_at is null", db.At(due), db.At(at), db.At(until), failed, row.ID).Error; err != nil {
			return fmt.Errorf("write link of guest: %w", err)
		}
		return nil
	})
}

// reaches tells whether something is configured that reaches an address.
func (e *Engine) reaches(address string) bool {
	if number(address) {
		return e.Texts != nil
	}
	return e.Mail != nil
}

// short answers the short message to a guest who is known by a number: a code to be typed in the browser that asked for it, or the link of an invitation. Each try has an id of its own, as it has a secret of its own: what is sent again is another message.
func (e *Engine) short(row linkRow, g Guest, text, code string) sms.Message {
	m := sms.Message{ID: string(row.ID) + "-" + row.Hash[:12], To: g.Email}
	if row.Way == ToSignIn {
		m.Kind, m.Code, m.Minutes = "code", shown(code), int(signInFor/time.Minute)
		m.Text = fmt.Sprintf("Rollcall 验证码 · code: %s。10 分钟内有效，请勿告诉任何人。Holds for 10 minutes; tell nobody.", m.Code)
		return m
	}
	m.Kind, m.Link, m.Minutes = "invitation", e.PublicURL+"/auth/guest?link="+text, int(linkFor/time.Minute)
	m.Text = fmt.Sprintf("Rollcall 访客邀请 · invitation: %s 72 小时内有效，仅一次，请勿转发。Holds for 72 hours and once; do not pass it on.", m.Link)
	return m
}

// message answers what a guest is sent, in both languages: nobody knows which one they read. It says nothing about whom they meet.
func (e *Engine) message(row linkRow, g Guest, text, code string) mail.Message {
	link := e.PublicURL + "/auth/guest?link=" + text
	if row.Way == ToSignIn {
		return mail.Message{To: g.Email, Subject: "登录 Rollcall · Sign in to Rollcall", Text: fmt.Sprintf(`%[1]s，你好：

请在发起登录的浏览器中打开以下链接，或在该页面输入验证码。10 分钟内有效，仅可使用一次。如非本人操作，请忽略本邮件，不要将其转发给任何人。

Hello %[1]s,

open this link in the browser in which you asked for it, or type the code there. Both hold for 10 minutes and once. If you did not ask for it, do nothing, and give this to nobody.

%[2]s

验证码 · Code: %[3]s
`, g.Name, link, shown(code))}
	}
	return mail.Message{To: g.Email, Subject: "Rollcall 邀请 · Invitation to Rollcall", Text: fmt.Sprintf(`%[1]s，你好：

你受邀以访客身份使用 Rollcall。请打开以下链接进入；72 小时内有效，仅可使用一次，请勿转发。
之后可在 %[3]s 用本邮箱地址再次登录。

Hello %[1]s,

you are invited to Rollcall as a guest. Open this link to come in. It holds for 72 hours and once; do not pass it on.
Later, sign in again with this e-mail address at %[3]s

%[2]s
`, g.Name, link, e.PublicURL+"/auth/guest")}
}
