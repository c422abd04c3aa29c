package ldap

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package for administrators. No answer of it holds the password, or a value of an attribute that may be one.
type API struct {
	Store *directory.Store
	// Syncer answers who keeps a source in step; nil where the configuration has none.
	Syncer func(id.Source) *Syncer
	// Foresee answers, on the state that tx sees, what becomes of the memberships of these people; nil where nobody can say.
	Foresee func(tx *db.Tx, people []id.Person) ([]directory.MembershipChange, error)

	mu    sync.Mutex
	desks map[id.Source]*desk
}

// desk is what lies on the table for one source: the last look around, and how far a preview has come.
type desk struct {
	probe  *ProbeReport
	busy   bool // one preview at a time
	read   int
	relink *relinking // the last one
}

// at runs fn with the desk of a source.
func (a *API) at(source id.Source, fn func(*desk)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.desks == nil {
		a.desks = map[id.Source]*desk{}
	}
	if a.desks[source] == nil {
		a.desks[source] = &desk{}
	}
	fn(a.desks[source])
}

// syncer answers who keeps a source in step, or the Problem that nobody does.
func (a *API) syncer(ctx context.Context, source id.Source) (*Syncer, error) {
	if _, err := a.Store.SourceByID(ctx, source); err != nil {
		return nil, err
	}
	if s := a.Syncer(source); s != nil {
		return s, s.Refresh(ctx)
	}
	return nil, httpapi.NewProblem(http.StatusConflict, "not_configured", "the configuration does not have this as an LDAP source")
}

// SourceInPath names an LDAP source.
type SourceInPath struct {
	ID id.Source `path:"id"`
}

// ConnectionView is where a directory is and how it is read, without its password.
type ConnectionView struct {
	URLs         []string `json:"urls" nullable:"false"`
	Security     string   `json:"security" enum:"ldaps,starttls,plain"`
	OwnCA        bool     `json:"own_ca" doc:"the certificate is checked against authorities of the configuration, not the system's"`
	ServerName   string   `json:"server_name,omitempty"`
	BindDN       string   `json:"bind_dn"`
	Base         string   `json:"base"`
	PageSize     int      `json:"page_size"`
	IDAttribute  string   `json:"id_attribute,omitempty" doc:"where the configuration names one"`
	Person       []string `json:"person_classes,omitempty"`
	Unit         []string `json:"unit_classes,omitempty"`
	Group        []string `json:"group_classes,omitempty"`
	Sentinel     string   `json:"sentinel,omitempty"`
	PollSeconds  float64  `json:"poll_seconds"`
	EverySeconds float64  `json:"every_seconds,omitempty"`
}

// ProgressView is how far something has come.
type ProgressView struct {
	Phase string `json:"phase" enum:"read,write,preview"`
	Class Class  `json:"class"`
	Done  int    `json:"done"`
	Total int    `json:"total,omitempty" doc:"0 where it is not known"`
}

// SourceView is an LDAP source in an answer.
type SourceView struct {
	Connection ConnectionView `json:"connection"`
	Mapping    MappingView    `json:"mapping"`
	Probe      *ProbeReport   `json:"probe,omitempty" doc:"the last one since the server started"`
	Progress   *ProgressView  `json:"progress,omitempty" doc:"of what is under way"`
}

// SourceOutput is one LDAP source.
type SourceOutput struct{ Body SourceView }

// Get answers GET /api/v1/sources/{id}/ldap.
func (a *API) Get(ctx context.Context, in *SourceInPath) (*SourceOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	config := s.config()
	p, err := config.prepare()
	if err != nil {
		return nil, httpapi.NewProblem(http.StatusConflict, "not_configured", err.Error())
	}
	out := &SourceOutput{}
	b := &out.Body
	b.Connection = connectionView(p)
	if b.Mapping, err = a.mappingView(ctx, s); err != nil {
		return nil, err
	}
	if at, ok := s.Under(); ok {
		b.Progress = &ProgressView{at.Phase, at.Class, at.Done, at.Total}
	}
	a.at(in.ID, func(d *desk) {
		b.Probe = d.probe
		if d.busy && b.Progress == nil {
			b.Progress = &ProgressView{Phase: "preview", Class: ClassPerson, Done: d.read}
		}
	})
	return out, nil
}

func connectionView(p *prepared) ConnectionView {
	security := "starttls"
	switch {
	case p.InsecurePlain:
		security = "plain"
	case p.servers[0].secure:
		security = "ldaps"
	}
	return ConnectionView{URLs: strings.Fields(p.URL), Security: security, OwnCA: p.CAFile != "", ServerName: p.ServerName, BindDN: p.BindDN, Base: p.Base, PageSize: p.PageSize,
		IDAttribute: p.IDAttribute, Person: p.PersonClasses, Unit: p.UnitClasses, Group: p.GroupClasses, Sentinel: p.Sentinel, PollSeconds: p.PollInterval.Seconds()}
}

// ProbeReport is what looking around a directory found.
type ProbeReport struct {
	At           time.Time        `json:"at"`
	OK           bool             `json:"ok" doc:"it could be opened, and no finding is an error"`
	Millis       float64          `json:"ms"`
	Capabilities CapabilitiesView `json:"capabilities"`
	Findings     []Finding        `json:"findings" nullable:"false"`
}

// CapabilitiesView is what a server said about itself; empty where it was not reached.
type CapabilitiesView struct {
	Vendor      string         `json:"vendor" doc:"openldap, ad, 389, other, …"`
	IDAttribute string         `json:"id_attribute"`
	TLS         string         `json:"tls" doc:"version, or none"`
	Position    bool           `json:"position" doc:"it has a mark that moves with each write"`
	Paging      bool           `json:"paging"`
	ContentSync bool           `json:"content_sync" doc:"RFC 4533"`
	Sample      map[Class]int  `json:"sample" doc:"entries on the first page of each class"`
	Counts      map[Class]int  `json:"counts,omitempty" doc:"entries of each class, as many as were counted in ten seconds"`
	Part        map[Class]bool `json:"part,omitempty" doc:"of these classes there may be more than was counted"`
	LatencyMS   float64        `json:"latency_ms" doc:"of one small search"`
}

// ProbeOutput is a ProbeReport.
type ProbeOutput struct{ Body ProbeReport }

// Probe answers POST /api/v1/sources/{id}/probe. It changes nothing; a directory that cannot be opened is an answer, not an error.
func (a *API) Probe(ctx context.Context, in *SourceInPath) (*ProbeOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	caps, findings, failed := s.Probe(ctx)
	r := ProbeReport{At: began.UTC(), OK: failed == nil, Millis: float64(time.Since(began).Microseconds()) / 1000, Findings: findings,
		Capabilities: CapabilitiesView{caps.Vendor, caps.IDAttribute, caps.TLS, caps.Position != "", caps.Paging, caps.ContentSync, caps.Sample, caps.Counts, caps.Part, float64(caps.Latency.Microseconds()) / 1000}}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	if r.Capabilities.Sample == nil {
		r.Capabilities.Sample = map[Class]int{}
	}
	for i, f := range r.Findings {
		r.Findings[i].Text = scrub(f.Text, s.config().Password)
		r.OK = r.OK && f.Severity != Error
	}
	a.at(in.ID, func(d *desk) { d.probe = &r })
	return &ProbeOutput{Body: r}, nil
}

// SampleInput chooses people of the directory.
type SampleInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		Name    string            `json:"name,omitempty" maxLength:"200" doc:"a login or e-mail address; the first people where nothing is said"`
		Limit   int               `json:"limit,omitempty" minimum:"1" maximum:"20" doc:"5 where nothing is said"`
		Mapping map[string]string `json:"mapping,omitempty" doc:"to see what it would make of them"`
		Labels  map[string]string `json:"labels,omitempty"`
	}
}

// SampleOutput is people of the directory beside what is made of them.
type SampleOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Items []Sample `json:"items" nullable:"false"`
	}
}

// Samples answers POST /api/v1/sources/{id}/samples.
func (a *API) Samples(ctx context.Context, in *SampleInput) (*SampleOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	config := s.config()
	now, err := config.prepare()
	if err != nil {
		return nil, problem(err, config.Password)
	}
	var proposed *prepared
	if in.Body.Mapping != nil || in.Body.Labels != nil {
		if proposed, err = (Mapping{in.Body.Mapping, in.Body.Labels}).in(config).prepare(); err != nil {
			return nil, problem(err, config.Password)
		}
	}
	client, err := NewClient(config)
	if err != nil {
		return nil, problem(err, config.Password)
	}
	defer client.Close()
	n := in.Body.Limit
	if n == 0 {
		n = 5
	}
	found, err := client.Sample(ctx, in.Body.Name, n)
	if err != nil {
		return nil, problem(err, config.Password)
	}
	out := &SampleOutput{CacheControl: "no-store"}
	out.Body.Items = []Sample{}
	for _, o := range found {
		one := Sample{DN: o.DN, Key: o.Key, Attributes: shown(o), Made: now.made(o)}
		one.Active, one.EndAt = status(o)
		if directory.Masks(ctx) && one.EndAt.After(time.Now()) {
			one.EndAt = time.Time{}
			one.Attributes = slices.DeleteFunc(one.Attributes, func(s Shown) bool {
				return strings.EqualFold(s.Name, "accountExpires") || strings.EqualFold(s.Name, "shadowExpire")
			})
		}
		if proposed != nil {
			one.Proposed = proposed.made(o)
		}
		out.Body.Items = append(out.Body.Items, one)
	}
	return out, nil
}
