package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// doubles looks for people who share a number, an address or a login with the new ones.
func (s stager) doubles(out []StageFact) error {
	numbers, names, mails := map[string][]int{}, map[string][]int{}, map[string][]int{}
	for i, f := range out {
		if f.By != "" {
			continue
		}
		for t := range tokens(f.Record) {
			to := map[Hint]map[string][]int{HintEmployeeNumber: numbers, HintUserName: names, HintEmail: mails}[t.hint]
			to[t.value] = append(to[t.value], i)
		}
	}
	note := func(by, sql string, wanted map[string][]int) error {
		set := map[string]bool{}
		for v := range wanted {
			set[v] = true
		}
		for part := range slices.Chunk(sorted(set), chunk) {
			var rows []struct {
				Value    string
				PersonID id.Person
			}
			args := []any{part, part}
			if err := s.from(s.ctx).Raw(sql, args[:strings.Count(sql, "?")]...).Scan(&rows).Error; err != nil {
				return fmt.Errorf("look for doubles: %w", err)
			}
			for _, row := range rows {
				for _, i := range wanted[row.Value] {
					if d := (Double{row.PersonID, by}); !slices.Contains(out[i].Doubles, d) {
						out[i].Doubles = append(out[i].Doubles, d)
					}
				}
			}
		}
		return nil
	}
	if err := note("employee_number", `select employee_number as value, person_id from records
		where employee_number <> '' and employee_number in ? and person_id is not null union select l.value, r.person_id from record_looks l
		join records r on r.link = l.link where l.hint = 'employee_number' and l.value in ? and r.person_id is not null order by person_id`, numbers); err != nil {
		return err
	}
	if err := note("email", `select distinct c.value_fold as value, r.person_id from record_contacts c join records r on r.link = c.link
		where c.kind = 'email' and c.value_fold in ? and r.person_id is not null order by r.person_id`, mails); err != nil {
		return err
	}
	return note("user_name", `select user_name_fold as value, person_id from records where user_name_fold in ? and person_id is not null
		union select l.value, r.person_id from record_looks l join records r on r.link = l.link where l.hint = 'user_name' and l.value in ? and r.person_id is not null order by person_id`, names)
}
