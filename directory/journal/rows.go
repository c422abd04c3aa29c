package journal

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type requestRow struct {
	ID           id.Request
	SourceID     id.Source
	At           db.Instant
	Method       string
	Path         string
	Query        string
	Status       int
	Failed       bool
	ScimType     string
	Detail       string
	Micros       int64
	ResourceID   string
	TokenID      id.Token
	Ignored      db.JSON[[]string]
	Client       string
	RequestBody  string
	RequestBytes int64
	AnswerBody   string
	AnswerBytes  int64
}

func (requestRow) TableName() string { return "source_requests" }

func rowOf(e Entry) requestRow {
	return requestRow{ID: e.ID, SourceID: e.Source, At: db.At(e.At), Method: e.Method, Path: e.Path, Query: e.Query, Status: e.Status, Failed: e.Failed,
		ScimType: e.ScimType, Detail: e.Detail, Micros: e.Took.Microseconds(), ResourceID: e.Resource, TokenID: e.Token,
		Ignored: db.JSON[[]string]{V: e.Ignored}, Client: e.Client, RequestBody: e.Request, RequestBytes: e.RequestBytes,
		AnswerBody: e.Answer, AnswerBytes: e.AnswerBytes}
}

func (r requestRow) entry() Entry {
	return Entry{ID: r.ID, Source: r.SourceID, At: r.At.Time, Method: r.Method, Path: r.Path, Query: r.Query, Status: r.Status, Failed: r.Failed,
		ScimType: r.ScimType, Detail: r.Detail, Took: time.Duration(r.Micros) * time.Microsecond, Resource: r.ResourceID, Token: r.TokenID,
		Ignored: r.Ignored.V, Client: r.Client, Request: r.RequestBody, RequestBytes: r.RequestBytes, Answer: r.AnswerBody, AnswerBytes: r.AnswerBytes}
}
