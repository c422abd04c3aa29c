package reviews

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (e *Engine) query(ctx context.Context, where string, args ...any) ([]Review, error) {
	var rows []reviewRow
	if err := e.DB.Read(ctx).Raw("select * from reviews where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read reviews: %w", err)
	}
	out := make([]Review, len(rows))
	for i, row := range rows {
		out[i] = row.review()
	}
	return out, nil
}

// List answers the reviews, the newest first, at most 200.
func (e *Engine) List(ctx context.Context) ([]Review, error) {
	return e.query(ctx, "1 = 1 order by created_at desc, id desc limit 200")
}

// Review answers one; ErrNotFound.
func (e *Engine) Review(ctx context.Context, review id.Review) (Review, error) {
	found, err := e.query(ctx, "id = ?", review)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("review %s: %w", review, ErrNotFound)
	}
	if err != nil {
		return Review{}, err
	}
	return found[0], nil
}

func (e *Engine) lines(ctx context.Context, where string, args ...any) ([]Line, error) {
	var rows []lineRow
	if err := e.DB.Read(ctx).Raw("select * from review_lines where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read lines of reviews: %w", err)
	}
	out := make([]Line, len(rows))
	for i, row := range rows {
		out[i] = row.line()
	}
	return out, nil
}

// Lines answers the lines of a review, in the order of group and person.
func (e *Engine) Lines(ctx context.Context, review id.Review) ([]Line, error) {
	return e.lines(ctx, "review = ? order by group_id, person", review)
}

// For answers the lines of open reviews that a person is asked about, at most 500.
func (e *Engine) For(ctx context.Context, reviewer id.Person) ([]Line, error) {
	return e.lines(ctx, "reviewer = ? and review in (select id from reviews where closed_at is null) order by review, group_id, person limit 500", reviewer)
}

func insert(tx *db.Tx, r Review, lines []Line) error {
	if err := tx.Create(&reviewRow{ID: r.ID, About: r.About, Ref: r.Ref, Reviewer: r.Reviewer, Named: r.Named, Silence: r.Silence, MadeBy: r.MadeBy,
		CreatedAt: db.At(r.CreatedAt), Until: db.At(r.Until), EndsAt: db.At(r.EndsAt)}).Error; err != nil {
		return fmt.Errorf("write review: %w", err)
	}
	rows := make([]lineRow, len(lines))
	for i, l := range lines {
		grounds := make([]ground, len(l.Grounds))
		for j, g := range l.Grounds {
			grounds[j] = ground{g.Kind, g.Ref, g.Role, g.Version, g.CreatedAt, g.From, g.Until}
		}
		rows[i] = lineRow{Review: r.ID, Membership: l.Membership, Person: l.Person, GroupID: l.Group, Role: l.Role, Since: db.At(l.Since),
			Reasons: db.JSON[[]string]{V: l.Reasons}, Grounds: db.JSON[[]ground]{V: grounds}, Reviewer: l.Reviewer}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(&rows, 200).Error; err != nil {
		return fmt.Errorf("write lines of review: %w", err)
	}
	return nil
}

// decide notes a decision on a line that has no outcome yet; ErrClosed where it has.
func decide(tx *db.Tx, l Line) error {
	done := tx.Exec("update review_lines set decision = ?, why = ?, decided_by = ?, decided_at = ? where review = ? and membership = ? and outcome = ''",
		l.Decision, l.Why, l.DecidedBy, db.At(l.DecidedAt), l.Review, l.Membership)
	if done.Error != nil {
		return fmt.Errorf("decide line of review: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("review %s: %w", l.Review, ErrClosed)
	}
	return nil
}

func reassign(tx *db.Tx, l Line) error {
	if err := tx.Exec("update review_lines set reviewer = ? where review = ? and membership = ? and decision = ''", l.Reviewer, l.Review, l.Membership).Error; err != nil {
		return fmt.Errorf("reassign line of review: %w", err)
	}
	return nil
}

// settle notes what became of a line, and tells whether nobody had before.
func settle(tx *db.Tx, l Line) (bool, error) {
	done := tx.Exec("update review_lines set outcome = ?, outcome_at = ? where review = ? and membership = ? and outcome = ''", l.Outcome, db.At(l.OutcomeAt), l.Review, l.Membership)
	if done.Error != nil {
		return false, fmt.Errorf("settle line of review: %w", done.Error)
	}
	return done.RowsAffected > 0, nil
}

func closeReview(tx *db.Tx, r Review) (bool, error) {
	done := tx.Exec("update reviews set closed_at = ? where id = ? and closed_at is null", db.At(r.ClosedAt), r.ID)
	if done.Error != nil {
		return false, fmt.Errorf("close review: %w", done.Error)
	}
	return done.RowsAffected > 0, nil
}
