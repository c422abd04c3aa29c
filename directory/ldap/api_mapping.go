package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// FieldView is where one attribute of people is read from.
type FieldView struct {
	Field    string   `json:"field"`
	From     []string `json:"from" nullable:"false" doc:"LDAP attributes; the first that has a value"`
	Defaults []string `json:"defaults" nullable:"false"`
	Own      bool     `json:"own" doc:"it was set, by the configuration or here"`
}

// LabelView is where a free label is read from.
type LabelView struct {
	Label string `json:"label"`
	From  string `json:"from"`
}

// MappingView is the mapping in force.
type MappingView struct {
	Fields   []FieldView   `json:"fields" nullable:"false"`
	Labels   []LabelView   `json:"labels" nullable:"false"`
	Version  int           `json:"version" doc:"0: that of the configuration, which nobody changed here"`
	File     bool          `json:"file" doc:"it is that of the configuration"`
	Versions []VersionView `json:"versions" nullable:"false" doc:"the newest, newest first"`
}

// VersionView is a mapping that was put in force here.
type VersionView struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	File    bool      `json:"file" doc:"back to the configuration"`
	Mapping
}

// versionsShown is how many of them are shown.
const versionsShown = 20

func (a *API) mappingView(ctx context.Context, s *Syncer) (MappingView, error) {
	config := s.config()
	p, err := config.prepare()
	if err != nil {
		return MappingView{}, err
	}
	out := MappingView{Fields: []FieldView{}, Labels: []LabelView{}, Versions: []VersionView{}, File: true}
	all, err := a.Store.Settings(ctx, s.Source.ID, settingMapping, versionsShown)
	if err != nil {
		return MappingView{}, err
	}
	for i, one := range all {
		k, err := keptOf(one)
		if err != nil {
			return MappingView{}, err
		}
		if i == 0 {
			out.Version, out.File = one.Version, k.File
		}
		out.Versions = append(out.Versions, VersionView{one.Version, one.CreatedAt, one.Actor, k.File, k.Mapping})
	}
	for _, field := range Fields() {
		_, own := config.Mapping[field]
		f := FieldView{Field: field, From: append([]string{}, p.fields[field]...), Defaults: []string{}, Own: own}
		if list := defaultMapping[field]; list != "" {
			f.Defaults = strings.Split(list, ",")
		}
		out.Fields = append(out.Fields, f)
	}
	for _, label := range slices.Sorted(maps.Keys(p.labels)) {
		out.Labels = append(out.Labels, LabelView{label, p.labels[label]})
	}
	return out, nil
}

// problem writes what keeps a directory from being asked.
func problem(err error, secret Secret) error {
	status := http.StatusBadGateway
	if errors.Is(err, ErrConfig) {
		status = http.StatusUnprocessableEntity
	}
	return httpapi.NewProblem(status, "ldap_"+codeOf(err), scrub(err.Error(), secret))
}

// MappingInput is a mapping that is proposed.
type MappingInput struct {
	ID   id.Source `path:"id"`
	Body MappingBody
}

// MappingBody is a mapping as it is sent.
type MappingBody struct {
	Mapping
	IDAttribute string `json:"id_attribute,omitempty" doc:"only what it is already: with another one people are linked anew"`
	File        bool   `json:"file,omitempty" doc:"that of the configuration; the rest is not looked at then"`
}

// MappingDiffOutput is what a mapping would change.
type MappingDiffOutput struct{ Body MappingDiff }

// PreviewMapping answers POST /api/v1/sources/{id}/mapping/preview: it reads everybody once, and sees them through both mappings. It writes nothing.
func (a *API) PreviewMapping(ctx context.Context, in *MappingInput) (*MappingDiffOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	config := s.config()
	if err := sameIdentity(config, in.Body.IDAttribute); err != nil {
		return nil, err
	}
	if in.Body.File {
		in.Body.Mapping = Mapping{s.File.Mapping, s.File.Labels}
	}
	busy := false
	a.at(in.ID, func(d *desk) {
		if busy = d.busy; !busy {
			d.busy, d.read = true, 0
		}
	})
	if busy {
		return nil, httpapi.NewProblem(http.StatusConflict, "busy", "another preview of this source is under way")
	}
	defer a.at(in.ID, func(d *desk) { d.busy = false })
	began := time.Now()
	c, err := compare(ctx, in.ID, config, in.Body.Mapping.in(config), func(n int) { a.at(in.ID, func(d *desk) { d.read = n }) })
	if err != nil {
		return nil, problem(err, config.Password)
	}
	diff := c.result()
	now, err := a.Store.Setting(ctx, in.ID, settingMapping)
	if err != nil {
		return nil, err
	}
	diff.Base = now.Version
	if diff.Groups, diff.Foreseen, err = c.foresee(ctx, a.Store, directory.CauseFrom(ctx, ""), a.Foresee); err != nil {
		return nil, err
	}
	diff.Seconds = time.Since(began).Seconds()
	diff.Hash = diff.hash(in.Body.Mapping)
	if err := keepPreview(ctx, s, diff, in.Body.Mapping); err != nil {
		return nil, err
	}
	return &MappingDiffOutput{Body: diff}, nil
}

// seen is what is kept of a preview until it is applied, on whichever node. It names nobody.
type seen struct {
	Of      string         `json:"of"` // the mapping
	Base    int            `json:"base"`
	People  int            `json:"people"`
	Changed int            `json:"changed"`
	Fields  map[string]int `json:"fields"`
}

func keepPreview(ctx context.Context, s *Syncer, d MappingDiff, m Mapping) error {
	v := seen{Of: keyOf(m.Mapping, m.Labels), Base: d.Base, People: d.People, Changed: d.Changed, Fields: map[string]int{}}
	for _, f := range d.Fields {
		v.Fields[f.Field] = f.Changed
	}
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return putPreview(ctx, s.DB, s.Source.ID, d.Hash, string(value), s.now())
}

// seenPreview answers the preview of this hash, where it is the last one and of this mapping; else nil.
func seenPreview(ctx context.Context, s *Syncer, hash string, m Mapping) (*seen, error) {
	value, err := previewed(ctx, s.DB, s.Source.ID, hash)
	if err != nil || value == "" || hash == "" {
		return nil, err
	}
	var v seen
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return nil, fmt.Errorf("preview of a mapping: %w", err)
	}
	if v.Of != keyOf(m.Mapping, m.Labels) {
		return nil, nil
	}
	return &v, nil
}

// sameIdentity refuses another attribute that identifies people.
func sameIdentity(c Config, asked string) error {
	if asked == "" || strings.EqualFold(asked, c.IDAttribute) {
		return nil
	}
	return httpapi.NewProblem(http.StatusUnprocessableEntity, "id_attribute", "another id attribute is no part of the mapping: each person is known by its value. "+
		"Set id_attribute in the configuration and start the server: nothing is taken from the directory until its people are linked anew, which is previewed and applied at relink/preview and relink.")
}

// ApplyMappingInput is a mapping that was previewed.
type ApplyMappingInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		MappingBody
		Hash string `json:"hash" doc:"of its preview"`
	}
}

// ApplyMappingOutput is the mapping in force.
type ApplyMappingOutput struct{ Body MappingView }

// ApplyMapping answers PUT /api/v1/sources/{id}/mapping: what was previewed is in force from now on, and everybody is read by it. It
// answers before that reading; Get tells how far it has come.
func (a *API) ApplyMapping(ctx context.Context, in *ApplyMappingInput) (*ApplyMappingOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := sameIdentity(s.config(), in.Body.IDAttribute); err != nil {
		return nil, err
	}
	k := kept{Mapping: in.Body.Mapping, File: in.Body.File}
	if k.File {
		k.Mapping = Mapping{s.File.Mapping, s.File.Labels}
	}
	seen, err := seenPreview(ctx, s, in.Body.Hash, k.Mapping)
	if err != nil {
		return nil, err
	}
	if seen == nil {
		return nil, httpapi.NewProblem(http.StatusConflict, "preview_needed", "this mapping was not previewed, or another was since: look first at what it would change")
	}
	put := k
	if k.File {
		put.Mapping = Mapping{}
	}
	value, err := json.Marshal(put)
	if err != nil {
		return nil, err
	}
	if _, err := a.Store.Apply(ctx, directory.CauseFrom(ctx, ""), directory.PutSetting{Source: in.ID, Name: settingMapping, Base: seen.Base, Value: value,
		Summary: map[string]any{"people": seen.People, "changed": seen.Changed, "fields": seen.Fields, "preview": in.Body.Hash}}); err != nil {
		return nil, err
	}
	if err := dropPreview(ctx, s.DB, in.ID); err != nil {
		return nil, err
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, problem(err, s.config().Password)
	}
	view, err := a.mappingView(ctx, s)
	return &ApplyMappingOutput{Body: view}, err
}
