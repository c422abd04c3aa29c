package guests

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type stateRow struct {
	ID       int
	ClosedAt db.Instant
}

func (stateRow) TableName() string { return "guests_state" }

type companyRow struct {
	ID          id.Company
	Key         string
	Names       db.JSON[map[string]string]
	Domains     db.JSON[[]string]
	Owner       id.Person
	Documents   db.JSON[[]string]
	Most        int
	EndsAt      db.Instant
	SuspendedAt db.Instant
	CreatedAt   db.Instant
	MadeBy      string
}

func (companyRow) TableName() string { return "guest_companies" }

func companyRowOf(c Company) companyRow {
	return companyRow{ID: c.ID, Key: c.Key, Names: db.JSON[map[string]string]{V: c.Names}, Domains: db.JSON[[]string]{V: c.Domains}, Owner: c.Owner,
		Documents: db.JSON[[]string]{V: c.Documents}, Most: c.Most, EndsAt: db.At(c.EndsAt), SuspendedAt: db.At(c.SuspendedAt), CreatedAt: db.At(c.CreatedAt), MadeBy: c.MadeBy}
}

func (r companyRow) company() Company {
	return Company{ID: r.ID, Key: r.Key, Names: r.Names.V, Domains: r.Domains.V, Owner: r.Owner, Documents: r.Documents.V, Most: r.Most, EndsAt: r.EndsAt.Time,
		SuspendedAt: r.SuspendedAt.Time, CreatedAt: r.CreatedAt.Time, MadeBy: r.MadeBy}
}

type guestRow struct {
	ID          id.Guest
	Company     id.Company
	Email       string
	EmailKey    string
	Name        string
	Sponsor     id.Person
	Person      id.Person
	Version     int64
	Settled     int64
	CreatedAt   db.Instant
	SuspendedAt db.Instant
	EndedAt     db.Instant

	Keeper       id.Person
	KeeperRef    string
	SuspendedFor Suspension
	AwakeAt      db.Instant
}

func (guestRow) TableName() string { return "guests" }

func guestRowOf(g Guest) guestRow {
	return guestRow{ID: g.ID, Company: g.Company, Email: g.Email, EmailKey: g.key, Name: g.Name, Sponsor: g.Sponsor, Person: g.Person, Version: g.version, Settled: g.settled,
		CreatedAt: db.At(g.CreatedAt), SuspendedAt: db.At(g.SuspendedAt), EndedAt: db.At(g.EndedAt), Keeper: g.keeper, KeeperRef: g.keeperRef, SuspendedFor: g.SuspendedFor, AwakeAt: db.At(g.CreatedAt)}
}

func (r guestRow) guest() Guest {
	return Guest{ID: r.ID, Company: r.Company, Email: r.Email, key: r.EmailKey, Name: r.Name, Sponsor: r.Sponsor, Person: r.Person, version: r.Version, settled: r.Settled,
		CreatedAt: r.CreatedAt.Time, SuspendedAt: r.SuspendedAt.Time, EndedAt: r.EndedAt.Time, keeper: r.Keeper, keeperRef: r.KeeperRef, SuspendedFor: r.SuspendedFor}
}

type placeRow struct {
	Guest   id.Guest
	GroupID id.Group
	Channel string
	UntilAt db.Instant
	Given   bool
}

func (placeRow) TableName() string { return "guest_places" }

type invitationRow struct {
	ID         id.Invitation
	Guest      id.Guest
	Email      string
	Name       string
	GroupID    id.Group
	Channels   db.JSON[[]string]
	Sponsor    id.Person
	AskedBy    string
	Unowned    bool
	Reason     string
	AskedUntil db.Instant
	UntilAt    db.Instant
	BoundBy    Bound
	State      string
	AskedAt    db.Instant
	DecidedAt  db.Instant
}

func (invitationRow) TableName() string { return "guest_invitations" }

func (r invitationRow) invitation() Invitation {
	return Invitation{ID: r.ID, Guest: r.Guest, Email: r.Email, Name: r.Name, Group: r.GroupID, Channels: r.Channels.V, Sponsor: r.Sponsor, AskedBy: r.AskedBy, Unowned: r.Unowned, Reason: r.Reason, AskedUntil: r.AskedUntil.Time,
		Until: r.UntilAt.Time, BoundBy: r.BoundBy, State: r.State, AskedAt: r.AskedAt.Time, DecidedAt: r.DecidedAt.Time}
}

func invitationRowOf(i Invitation) invitationRow {
	return invitationRow{ID: i.ID, Guest: i.Guest, Email: i.Email, Name: i.Name, GroupID: i.Group, Channels: db.JSON[[]string]{V: i.Channels}, Sponsor: i.Sponsor, AskedBy: i.AskedBy, Unowned: i.Unowned,
		Reason: i.Reason, AskedUntil: db.At(i.AskedUntil), UntilAt: db.At(i.Until), BoundBy: i.BoundBy, State: i.State, AskedAt: db.At(i.AskedAt), DecidedAt: db.At(i.DecidedAt)}
}

type linkRow struct {
	ID      id.GuestLink
	Guest   id.Guest
	Way     Way
	Hash    string
	Browser string
	Code    string
	Tries   int
	MadeBy  string
	MadeAt  db.Instant
	UntilAt db.Instant
	DueAt   db.Instant
	SentAt  db.Instant
	Failed  string
	UsedAt  db.Instant
	EndedAt db.Instant
}

func (linkRow) TableName() string { return "guest_links" }

func (r linkRow) link() Link {
	return Link{ID: r.ID, Guest: r.Guest, Way: r.Way, MadeBy: r.MadeBy, MadeAt: r.MadeAt.Time, Until: r.UntilAt.Time, SentAt: r.SentAt.Time, Failed: r.Failed, UsedAt: r.UsedAt.Time, EndedAt: r.EndedAt.Time}
}

type arrivalRow struct {
	ID        id.Arrival
	Guest     id.Guest
	Link      id.GuestLink
	Browser   string
	Code      string
	Tries     int
	MadeAt    db.Instant
	UntilAt   db.Instant
	ProvedAt  db.Instant
	ProvedBy  string
	EnteredAt db.Instant
	EndedAt   db.Instant
	Issuer    string
	Subject   string
	SID       string `gorm:"column:sid"`
}

func (arrivalRow) TableName() string { return "guest_arrivals" }

type termsRow struct {
	Version  int
	Texts    db.JSON[map[string]string]
	MadeBy   string
	MadeAt   db.Instant
	Accepted int `gorm:"->;-:migration"` // counted
}

func (termsRow) TableName() string { return "guest_terms" }

func (r termsRow) terms() Terms {
	return Terms{Version: r.Version, Texts: r.Texts.V, MadeBy: r.MadeBy, MadeAt: r.MadeAt.Time, Accepted: r.Accepted}
}

type acceptanceRow struct {
	Guest    id.Guest
	Version  int
	Language string
	Address  string
	At       db.Instant
}

func (acceptanceRow) TableName() string { return "guest_acceptances" }

type providerRow struct {
	Company  id.Company `gorm:"primaryKey"`
	Issuer   string
	ClientID string
	Sealed   string
	Claims   db.JSON[map[string]string]
	MadeBy   string
	MadeAt   db.Instant
}

func (providerRow) TableName() string { return "guest_providers" }

func (r providerRow) provider() Provider {
	return Provider{Company: r.Company, Issuer: r.Issuer, ClientID: r.ClientID, Claims: r.Claims.V, MadeBy: r.MadeBy, MadeAt: r.MadeAt.Time}
}

type closingRow struct {
	ID         id.Closing
	GroupID    id.Group
	Plan       id.Plan
	MadeBy     string
	At         db.Instant
	DoneAt     db.Instant
	ReopenedAt db.Instant
}

func (closingRow) TableName() string { return "project_closings" }

func closingRowOf(c Closing) *closingRow {
	return &closingRow{ID: c.ID, GroupID: c.Group, Plan: c.Plan, MadeBy: c.MadeBy, At: db.At(c.At), DoneAt: db.At(c.DoneAt), ReopenedAt: db.At(c.ReopenedAt)}
}

func (r closingRow) closing() Closing {
	return Closing{ID: r.ID, Group: r.GroupID, Plan: r.Plan, MadeBy: r.MadeBy, At: r.At.Time, DoneAt: r.DoneAt.Time, ReopenedAt: r.ReopenedAt.Time}
}

type closingOwnerRow struct {
	Closing id.Closing
	Person  id.Person
	Placed  string
}

func (closingOwnerRow) TableName() string { return "project_closing_owners" }

type closingReadRow struct {
	Closing id.Closing
	Person  id.Person
	Channel id.Channel
	FromAt  db.Instant
}

func (closingReadRow) TableName() string { return "project_closing_reads" }
