package directory

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Reader reads the directory: outside any transaction (Store embeds one) or inside one (Store.In).
type Reader struct {
	from   func(context.Context) *gorm.DB
	engine db.Engine
	now    func() time.Time
}

// Store is the directory. Access is set once, before the first Apply.
type Store struct {
	Reader
	Access Access
	Now    func() time.Time // nil: time.Now
	db     *db.DB
	feed   *feed.Feed
	log    *slog.Logger
}

// New makes a Store whose tables are migrated; the caller sets Access.
func New(d *db.DB, f *feed.Feed, log *slog.Logger) *Store {
	s := &Store{db: d, feed: f, log: log}
	s.Reader = Reader{from: d.Read, engine: d.Engine, now: s.clock}
	return s
}

func (s *Store) clock() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// In answers a Reader that reads inside tx, and sees what tx wrote.
func (s *Store) In(tx *db.Tx) Reader {
	return Reader{from: func(context.Context) *gorm.DB { return tx.DB }, engine: s.db.Engine, now: s.clock}
}

var errTodo = errors.New("directory: not built yet")

// Apply makes all changes or none, and returns when what they took away is in force. An error of one change is a *ChangeError.
// Where the error came from waiting (Access.Settle), the changes stand and the same call may be made again.
func (s *Store) Apply(ctx context.Context, cause Cause, changes ...Change) (Applied, error) {
	return Applied{}, errTodo
}

// Person answers one person; ErrNotFound.
func (r Reader) Person(ctx context.Context, person id.Person) (Person, error) {
	return Person{}, errTodo
}

// PeopleByID answers the people of these ids, in no order; unknown ids are left out.
func (r Reader) PeopleByID(ctx context.Context, people []id.Person) ([]Person, error) {
	return nil, errTodo
}

// People answers one page of people by display name.
func (r Reader) People(ctx context.Context, q Query) (PeoplePage, error) {
	return PeoplePage{}, errTodo
}

// AllPeople answers the ids of everybody, in order.
func (r Reader) AllPeople(ctx context.Context) ([]id.Person, error) { return nil, errTodo }

// Records answers all records of a person, tombstones too, leading first.
func (r Reader) Records(ctx context.Context, person id.Person) ([]Record, error) { return nil, errTodo }

// Record answers a live record of a source; ErrNotFound for others and other sources'.
func (r Reader) Record(ctx context.Context, source id.Source, link id.Link) (Record, error) {
	return Record{}, errTodo
}

// RecordByKey answers a record by its key in the source, a tombstone too.
func (r Reader) RecordByKey(ctx context.Context, source id.Source, key string) (Record, error) {
	return Record{}, errTodo
}

// RecordKeys answers the keys of all records of a source, tombstones too, in order of key.
func (r Reader) RecordKeys(ctx context.Context, source id.Source) ([]RecordKey, error) {
	return nil, errTodo
}

// FindRecords answers one page of live records of a source.
func (r Reader) FindRecords(ctx context.Context, q RecordQuery) (RecordPage, error) {
	return RecordPage{}, errTodo
}

// Group answers a group of a source.
func (r Reader) Group(ctx context.Context, source id.Source, group id.DirectoryGroup) (GroupRecord, error) {
	return GroupRecord{}, errTodo
}

// GroupByKey answers a group by its key in the source.
func (r Reader) GroupByKey(ctx context.Context, source id.Source, key string) (GroupRecord, error) {
	return GroupRecord{}, errTodo
}

// FindGroups answers one page of groups.
func (r Reader) FindGroups(ctx context.Context, q GroupQuery) (GroupPage, error) {
	return GroupPage{}, errTodo
}

// Members answers members of a group, pending ones too.
func (r Reader) Members(ctx context.Context, group id.DirectoryGroup, q MemberQuery) (MemberPage, error) {
	return MemberPage{}, errTodo
}

// GroupsOf answers, for each of these records of a source, the groups it is in, direct ones first.
func (r Reader) GroupsOf(ctx context.Context, source id.Source, links []id.Link) (map[id.Link][]GroupRef, error) {
	return nil, errTodo
}

// Affiliations answers a person's employments, the leading one first.
func (r Reader) Affiliations(ctx context.Context, person id.Person) ([]Affiliation, error) {
	return nil, errTodo
}

// Freezes answers a person's freezes, standing ones first, then lifted ones, newest first.
func (r Reader) Freezes(ctx context.Context, person id.Person) ([]Freeze, error) { return nil, errTodo }

// Units answers all units of all sources, parents before children.
func (r Reader) Units(ctx context.Context) ([]Unit, error) { return nil, errTodo }

// Sources answers all sources by priority, then name.
func (r Reader) Sources(ctx context.Context) ([]Source, error) { return nil, errTodo }

// SourceByID answers one source; ErrNotFound.
func (r Reader) SourceByID(ctx context.Context, source id.Source) (Source, error) {
	return Source{}, errTodo
}

// SourceByName answers one source; ErrNotFound.
func (r Reader) SourceByName(ctx context.Context, name string) (Source, error) {
	return Source{}, errTodo
}

// Cursor answers what PutCursor stored last; empty where nothing.
func (r Reader) Cursor(ctx context.Context, source id.Source) (string, error) { return "", errTodo }

// SourceTokens answers a source's tokens, newest first.
func (r Reader) SourceTokens(ctx context.Context, source id.Source) ([]SourceToken, error) {
	return nil, errTodo
}

// Facts answers what decides the access of these people, in order of id; unknown ids are left out. With lock their rows
// stay locked, in order of id, until the end of tx.
func (r Reader) Facts(tx *db.Tx, people []id.Person, lock bool) ([]Fact, error) { return nil, errTodo }

// CreateSource adds a source; its name is [a-z0-9-], 1 to 40 of them, else ErrInvalid; taken is ErrExists. ID is filled in where empty.
func (s *Store) CreateSource(ctx context.Context, cause Cause, source Source) (Source, error) {
	return Source{}, errTodo
}

// IssueSourceToken makes a bearer token; the secret is answered once and kept only as a hash. A third live one is ErrTokens. A zero
// expiry never ends.
func (s *Store) IssueSourceToken(ctx context.Context, cause Cause, source id.Source, name string, expires time.Time) (secret string, token SourceToken, err error) {
	return "", SourceToken{}, errTodo
}

// RevokeSourceToken ends a token at once; one ended already is no change.
func (s *Store) RevokeSourceToken(ctx context.Context, cause Cause, source id.Source, token id.Token) error {
	return errTodo
}

// CheckSourceToken answers whose token secret is; everything else is ErrToken.
func (s *Store) CheckSourceToken(ctx context.Context, secret string) (Source, id.Token, error) {
	return Source{}, "", errTodo
}
