package main

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// The notices of a handover period that begins: about person, thing (the channel) and at (when it ends).
const (
	kindMovedKeeps notices.Kind = "moved.keeps" // to who moved away
	kindMovedStays notices.Kind = "moved.stays" // to the owners
)

// tellMoved tells of what somebody keeps who moved away, as the policy says who hears of it: of one channel once a day at most.
func (a *app) tellMoved(tx *db.Tx, list []provisioning.Moved) error {
	var told []notices.Notice
	for _, m := range list {
		rule, err := a.access.Tells(tx, m.Group)
		if err != nil {
			return err
		}
		about := map[string]string{"person": string(m.Person), "thing": string(m.Channel), "at": m.Until.UTC().Format(time.RFC3339Nano)}
		key := string(m.Person) + "/" + string(m.Channel)
		tell := func(to id.Person, kind notices.Kind) {
			told = append(told, notices.Notice{Person: to, Kind: kind, About: about, Key: string(kind) + "/" + key, Again: true, At: time.Now().UTC()})
		}
		others := []id.Person{}
		for _, word := range rule.Handover {
			switch word {
			case policies.ToldPerson:
				tell(m.Person, kindMovedKeeps)
			case policies.ToldOwners:
				others = append(others, m.Owners...)
			case policies.ToldManager:
				found, err := a.people.In(tx).PeopleByID(tx.Statement.Context, []id.Person{m.Person})
				if err != nil {
					return err
				}
				if len(found) > 0 && found[0].Manager != "" {
					others = append(others, found[0].Manager)
				}
			}
		}
		slices.Sort(others)
		for _, person := range slices.Compact(others) {
			tell(person, kindMovedStays)
		}
	}
	return notices.Tell(tx, told...)
}
