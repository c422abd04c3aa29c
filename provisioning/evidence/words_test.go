package evidence

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/handover"
)

// What a page says by a word of the documents it says in Chinese on a Chinese page, and in another English than that of programs nowhere else.
func TestWords(t *testing.T) {
	var b strings.Builder
	zh, en := NewPage(&b, Chinese, "", ""), NewPage(&b, English, "", "")
	for of, list := range map[topic][]string{
		Roles: {string(policies.Owner), string(policies.Participant), string(policies.Collaborator), string(policies.Vendor)},
		Freezing: {string(directory.CauseDisabled), string(directory.CauseDeleted), string(directory.CausePending), string(directory.CauseEnded), string(directory.CauseLeave), string(directory.CauseSecurity),
			string(directory.CauseVeto), string(directory.CauseQuarantine)},
		Taken: {string(provisioning.CauseJoin), string(provisioning.CauseMove), string(provisioning.CauseCleanup), string(provisioning.CauseAbsence), string(provisioning.CausePolicy), string(provisioning.CauseExpiry),
			string(provisioning.CausePlanned), string(provisioning.CauseRelease), string(provisioning.CauseUndo), string(provisioning.CauseBurst), string(provisioning.CauseRevoked), string(provisioning.CauseMerge)},
		States:  {string(handover.Waiting), string(handover.Offered), string(handover.Accepted), string(handover.Refused), string(handover.Ended), handover.KindGroup},
		Found:   {"manager", "person", "admin", "member participant"},
		Fencing: {string(ByBarrier), string(ByClock), string(Late)},
		Changes: {"unit", "manager", "title", "department", "division", "organization", "company", "cost_center", "employee_type"},
		Ends:    {"frozen", "ended", "revoked", "signed out", "ended by an administrator", "identity unlinked"},
		Actions: {ActionFenced, "person.frozen", "record.changed", "session.ended", "membership.removed", "handover.offered", "veto.contested", "run.undone", "hold.restored"},
	} {
		for _, what := range list {
			if text := zh.Word(of, what); strings.ContainsFunc(text, func(r rune) bool { return r < unicode.MaxASCII && unicode.IsLetter(r) }) {
				t.Errorf("%s: %s is %q", of, what, text)
			}
			if text := en.Word(of, what); text == "" || strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || strings.Contains(text, "_") {
				t.Errorf("%s: %s is %q", of, what, text)
			}
		}
		for what, both := range words(of) {
			if both[0] == "" || both[1] == "" {
				t.Errorf("%s: %s has %q", of, what, both)
			}
		}
	}
	for _, what := range []string{Joiner, Mover, LeaverOf, Returned, Held, Vetoed, Contested, Overdue, EnteredLate, Undone, Unnoted, Quarantined} {
		if kindZH(what) == "" {
			t.Errorf("%s has no word", what)
		}
	}
	names := Names{"per_1": {"": "王伟"}, "grp_1": {"en": "Apollo", "zh": "阿波罗"}, "grp_2": {"en": "Solo"}}
	for id, want := range map[string][2]string{"per_1": {"王伟", "王伟"}, "grp_1": {"Apollo", "阿波罗"}, "grp_2": {"Solo", "Solo"}, "grp_3": {"grp_3", "grp_3"}, "system": {"the system", "系统"}} {
		if got := [2]string{en.Name(names, id), zh.Name(names, id)}; got != want {
			t.Errorf("%s: %v, not %v", id, got, want)
		}
	}
}
