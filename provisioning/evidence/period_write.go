package evidence

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
)

// PeriodFile says how a report is wanted, and by whom.
type PeriodFile struct {
	Query
	Format string // csv, json or html
	Lang   Lang
	By     string
}

// sink writes a report from its beginning to its end.
type sink interface {
	row(Row) error
	end(Tally) error
}

func (f PeriodFile) check() error {
	if f.From.IsZero() || !f.Until.After(f.From) || f.Until.Sub(f.From) > periodMost {
		return ErrPeriod
	}
	return nil
}

func (s *Store) exportedPeriod(ctx context.Context, f PeriodFile) error {
	return s.exported(ctx, f.By, "period", map[string]any{"kind": KindPeriod, "format": f.Format, "whole": f.Scope.All,
		"from": f.From.UTC().Format(time.RFC3339Nano), "until": f.Until.UTC().Format(time.RFC3339Nano)})
}

// writePeriod writes a report to w, row by row. What fails after the first row leaves it without its end, which holds the counts.
func (s *Store) writePeriod(ctx context.Context, f PeriodFile, w io.Writer) error {
	var to sink
	switch f.Format {
	case "csv":
		to = newSheet(w)
	case "html":
		by, err := s.called(ctx, f.By)
		if err != nil {
			return err
		}
		to = newReportPage(w, f, by, now(s.Now))
	default:
		to = &jsonReport{w: bufio.NewWriter(w), file: f, at: now(s.Now)}
	}
	tally, err := s.Period(ctx, f.Query, to.row)
	if err != nil {
		return err
	}
	return to.end(tally)
}

// sheet is a report as comma-separated values, in the form that spreadsheets read right: with a mark of its letters, and no cell that
// is a formula.
type sheet struct{ to *csv.Writer }

// BOM tells a spreadsheet that letters are UTF-8.
const BOM = "\ufeff"

func newSheet(w io.Writer) *sheet {
	_, _ = io.WriteString(w, BOM)
	s := &sheet{csv.NewWriter(w)}
	s.to.UseCRLF = true
	_ = s.to.Write([]string{"kind", "seq", "person", "name", "employee_number", "source", "request", "what", "source_at", "source_said", "arrived_at", "in_force_at",
		"delay_ms", "late_s", "gained", "lost", "exceptions"})
	return s
}

func (s *sheet) row(r Row) error {
	delay := ""
	if !r.InForceAt.IsZero() {
		delay = strconv.FormatFloat(float64(r.DelayUS)/1000, 'f', 3, 64)
	}
	return s.to.Write(Cells(r.Kind, strconv.FormatInt(r.Seq, 10), string(r.Person), r.Name, r.Number, r.Source, string(r.Request), strings.Join(r.What, " "),
		Stamp(r.SourceAt), r.SourceSaid, Stamp(r.ArrivedAt), Stamp(r.InForceAt), delay, strconv.FormatInt(r.LateUS/1_000_000, 10),
		strconv.Itoa(r.Gained), strconv.Itoa(r.Lost), strings.Join(r.Exceptions, " ")))
}

func (s *sheet) end(Tally) error {
	s.to.Flush()
	return s.to.Error()
}

// Cells keeps what somebody is called from being a formula to a spreadsheet that opens it.
func Cells(cells ...string) []string {
	for i, text := range cells {
		if strings.IndexAny(strings.TrimLeft(text, " \u00a0\u3000"+BOM), "=+-@\t\r\n|%＝＋－＠") == 0 {
			cells[i] = "'" + text
		}
	}
	return cells
}

// Stamp writes an instant for programs; empty for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(instant)
}

// jsonReport is a report as one JSON object.
type jsonReport struct {
	w    *bufio.Writer
	file PeriodFile
	at   time.Time
	rows int
}

// PeriodFormat names the form of a report as JSON.
const PeriodFormat = "rollcall-period/1"

func (j *jsonReport) begin() error {
	head, err := json.Marshal(struct {
		Format string    `json:"format"`
		From   time.Time `json:"from"`
		Until  time.Time `json:"until"`
		MadeAt time.Time `json:"made_at"`
		MadeBy string    `json:"made_by"`
	}{PeriodFormat, j.file.From.UTC(), j.file.Until.UTC(), j.at, j.file.By})
	if err != nil {
		return err
	}
	j.w.Write(head[:len(head)-1])
	_, err = j.w.WriteString(",\"rows\":[")
	return err
}

func (j *jsonReport) row(r Row) error {
	if j.rows == 0 {
		if err := j.begin(); err != nil {
			return err
		}
	} else {
		j.w.WriteByte(',')
	}
	j.rows++
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	j.w.WriteByte('\n')
	_, err = j.w.Write(text)
	return err
}

func (j *jsonReport) end(t Tally) error {
	if j.rows == 0 {
		if err := j.begin(); err != nil {
			return err
		}
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	j.w.WriteString("\n],\"counts\":")
	j.w.Write(text)
	j.w.WriteString("}\n")
	return j.w.Flush()
}

// reportPage is a report for printing.
type reportPage struct{ p *Page }

func newReportPage(w io.Writer, f PeriodFile, by Names, at time.Time) *reportPage {
	p := NewPage(w, f.Lang, "Joiners, movers and leavers", "入职、调动与离职报告")
	p.Facts([3]string{"From", "起", Moment(f.From)}, [3]string{"Until (exclusive)", "止（不含）", Moment(f.Until)}, [3]string{"Made", "制作时间", Moment(at)}, [3]string{"By", "制作人", p.Name(by, f.By)})
	p.Section("Rows", "明细")
	p.Table([2]string{"Kind", "类别"}, [2]string{"Name", "姓名"}, [2]string{"Employee number", "工号"}, [2]string{"Source", "来源"}, [2]string{"What", "内容"},
		[2]string{"Source's instant", "来源时刻"}, [2]string{"Arrived", "到达"}, [2]string{"In force", "生效"}, [2]string{"Delay", "时延"}, [2]string{"Exceptions", "例外"})
	return &reportPage{p}
}

func (r *reportPage) row(row Row) error {
	var exceptions []string
	for _, one := range row.Exceptions {
		exceptions = append(exceptions, word(r.p, one))
	}
	r.p.Row(word(r.p, row.Kind), row.Name, row.Number, row.Source, r.what(row), Moment(row.SourceAt), Moment(row.ArrivedAt), Moment(row.InForceAt),
		measured(row.InForceAt, row.DelayUS), strings.Join(exceptions, ", "))
	return nil
}

// what says what became of somebody: of a mover what changed, of a leaver by what.
func (r *reportPage) what(row Row) string {
	if row.Kind == Mover {
		return r.p.Words(Changes, row.What)
	}
	return r.p.Words(Freezing, row.What)
}

func (r *reportPage) end(t Tally) error {
	r.p.Close()
	r.p.Section("Counts", "合计")
	facts := [][3]string{{"Rows", "行数", strconv.Itoa(t.Rows)}, {"Worst delay", "最大时延", span(t.WorstUS)}}
	for _, kind := range []string{Joiner, Mover, LeaverOf, Returned} {
		facts = append(facts, [3]string{kind, kindZH(kind), strconv.Itoa(t.Kinds[kind])})
	}
	for _, what := range []string{Held, Vetoed, Contested, Overdue, EnteredLate, Undone, Unnoted, Quarantined} {
		if t.Exceptions[what] > 0 {
			facts = append(facts, [3]string{what, kindZH(what), strconv.Itoa(t.Exceptions[what])})
		}
	}
	r.p.Facts(facts...)
	return r.p.End()
}

// kindZH says a kind or an exception in Chinese.
func kindZH(what string) string {
	return map[string]string{Joiner: "入职", Mover: "调动", LeaverOf: "离职", Returned: "恢复", Held: "被护栏保留", Vetoed: "禁止恢复", Contested: "来源有异议",
		Overdue: "超时", EnteredLate: "迟录", Undone: "已撤销", Unnoted: "未记录生效时刻", Quarantined: "待核身份"}[what]
}

func word(p *Page, what string) string { return p.Say(what, kindZH(what)) }
