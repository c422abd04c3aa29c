package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

// documents serves the OpenAPI document and a page made of it, which needs no script and no other host.
type documents struct {
	api        huma.API
	json, html []byte
}

func (d *documents) routes() []Route {
	return []Route{
		Plain(http.MethodGet, "/openapi.json", Public, "OpenAPI 3.1 document", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(d.json)
		})),
		Plain(http.MethodGet, "/docs", Public, "This page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
			w.Write(d.html)
		})),
	}
}

// finish makes both documents once every route is registered.
func (d *documents) finish(s *Server, routes []Route) {
	spec := d.api.OpenAPI()
	d.replaceErrors(spec)
	var err error
	if d.json, err = json.Marshal(spec); err != nil {
		panic("httpapi: openapi document: " + err.Error()) // a programming error, seen at start
	}
	var page bytes.Buffer
	err = template.Must(template.New("docs").Parse(docsPage)).Execute(&page, map[string]any{"Version": s.Version, "Sections": d.sections(spec, routes)})
	if err != nil {
		panic("httpapi: docs page: " + err.Error())
	}
	d.html = page.Bytes()
}

// replaceErrors puts our Problem where huma wrote its own error model into the document.
func (d *documents) replaceErrors(spec *huma.OpenAPI) {
	problem := spec.Components.Schemas.Schema(problemType(), true, "Problem")
	for _, item := range spec.Paths {
		for _, op := range operations(item) {
			for status, response := range op.Responses {
				if media, ok := response.Content["application/problem+json"]; ok {
					media.Schema = problem
					response.Description = "Error (RFC 9457), with a stable code"
				}
				if status == "default" && response.Content == nil {
					delete(op.Responses, status)
				}
			}
		}
	}
	for name := range spec.Components.Schemas.Map() {
		if strings.HasSuffix(name, "ErrorModel") || strings.HasSuffix(name, "ErrorDetail") {
			delete(spec.Components.Schemas.Map(), name)
		}
	}
}

func operations(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}, func(op *huma.Operation) bool { return op == nil })
}

type section struct {
	Name   string
	Routes []documented
}

type documented struct {
	Method, Path, Who, Summary string
	Parameters                 []parameter
	Body, Answer               string
}

type parameter struct {
	Name, In, Type, Doc string
	Required            bool
}

func (d *documents) sections(spec *huma.OpenAPI, routes []Route) []section {
	byName := map[string]*section{}
	var names []string
	for _, r := range routes {
		name := tag(r.Path)
		if name == "" {
			name = "/"
		}
		if byName[name] == nil {
			byName[name], names = &section{Name: name}, append(names, name)
		}
		byName[name].Routes = append(byName[name].Routes, d.describe(spec, r))
	}
	slices.Sort(names)
	out := make([]section, len(names))
	for i, name := range names {
		out[i] = *byName[name]
	}
	return out
}

func (d *documents) describe(spec *huma.OpenAPI, r Route) documented {
	line := documented{Method: r.Method, Path: r.Path, Who: string(r.Who), Summary: r.Summary}
	if line.Method == "" {
		line.Method = "ANY"
	}
	item := spec.Paths[r.Path]
	if !r.Typed() || item == nil {
		return line
	}
	shape := shaper{registry: spec.Components.Schemas}
	for _, op := range operations(item) {
		if op.Method != r.Method {
			continue
		}
		for _, p := range op.Parameters {
			line.Parameters = append(line.Parameters, parameter{Name: p.Name, In: p.In, Type: shape.write(p.Schema, ""), Doc: p.Description, Required: p.Required})
		}
		if op.RequestBody != nil {
			if media := op.RequestBody.Content["application/json"]; media != nil {
				line.Body = shape.write(media.Schema, "")
			}
		}
		for status, response := range op.Responses {
			if media := response.Content["application/json"]; media != nil && status != "default" {
				line.Answer = status + " " + shape.write(media.Schema, "")
			}
		}
	}
	return line
}

// shaper writes a schema as a person reads it.
type shaper struct {
	registry huma.Registry
	inside   []string
}

func (s shaper) write(schema *huma.Schema, indent string) string {
	if schema == nil {
		return "any"
	}
	if schema.Ref != "" {
		name := schema.Ref[strings.LastIndex(schema.Ref, "/")+1:]
		if slices.Contains(s.inside, name) {
			return name // a type that holds itself
		}
		s.inside = append(slices.Clone(s.inside), name)
		schema = s.registry.SchemaFromRef(schema.Ref)
		if schema == nil {
			return name
		}
	}
	switch {
	case len(schema.Enum) > 0:
		words := make([]string, len(schema.Enum))
		for i, v := range schema.Enum {
			b, _ := json.Marshal(v)
			words[i] = string(b)
		}
		return strings.Join(words, " | ")
	case schema.Type == huma.TypeArray:
		return "[" + s.write(schema.Items, indent) + "]"
	case schema.Type == huma.TypeObject && len(schema.Properties) > 0:
		return s.object(schema, indent)
	case schema.Type == huma.TypeObject:
		if of, ok := schema.AdditionalProperties.(*huma.Schema); ok {
			return "{string: " + s.write(of, indent) + "}"
		}
		return "{}"
	case schema.Type == "":
		return "any"
	case schema.Format != "":
		return schema.Type + " (" + schema.Format + ")"
	}
	return schema.Type
}

func (s shaper) object(schema *huma.Schema, indent string) string {
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range names {
		mark := "?"
		if slices.Contains(schema.Required, name) {
			mark = ""
		}
		property := schema.Properties[name]
		b.WriteString(indent + "  " + name + mark + ": " + s.write(property, indent+"  "))
		if property.Description != "" {
			b.WriteString("  // " + property.Description)
		}
		b.WriteString("\n")
	}
	b.WriteString(indent + "}")
	return b.String()
}
