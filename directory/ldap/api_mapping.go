package ldap

import (
	"context"
	"errors"
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
	Fields []FieldView `json:"fields" nullable:"false"`
	Labels []LabelView `json:"labels" nullable:"false"`
}

func (a *API) mappingView(_ context.Context, s *Syncer) (MappingView, error) {
	config := s.config()
	p, err := config.prepare()
	if err != nil {
		return MappingView{}, err
	}
	out := MappingView{Fields: []FieldView{}, Labels: []LabelView{}}
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
	IDAttribute string `json:"id_attribute,omitempty" doc:"only what it is already: people are known by it for ever"`
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
	if diff.Groups, diff.Foreseen, err = c.foresee(ctx, a.Store, directory.CauseFrom(ctx, ""), a.Foresee); err != nil {
		return nil, err
	}
	diff.Seconds = time.Since(began).Seconds()
	diff.Hash = diff.hash(in.Body.Mapping)
	a.at(in.ID, func(d *desk) { d.preview, d.mapping = &diff, in.Body.Mapping })
	return &MappingDiffOutput{Body: diff}, nil
}

// sameIdentity refuses another attribute that identifies people.
func sameIdentity(c Config, asked string) error {
	if asked == "" || strings.EqualFold(asked, c.IDAttribute) {
		return nil
	}
	return httpapi.NewProblem(http.StatusUnprocessableEntity, "id_attribute", "id_attribute cannot be changed: each person is known by its value, "+
		"and with another attribute nobody would be known any more: everybody would be gone and come anew. "+
		"For another directory make a new source, and join its people with those of this one by employee number.")
}
