package reviews

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/provisioning"
)

// groundsOf answers the reasons by which a place stands now, as a reviewer may know them: what begins or ends by something that is planned
// is told as if it were not.
func groundsOf(m provisioning.Membership, now time.Time) (grounds []provisioning.Reason, texts []string) {
	grounds, texts = []provisioning.Reason{}, []string{}
	for _, r := range m.Reasons {
		if r.From.After(now) {
			continue
		}
		if r.Kind == provisioning.KindRule || r.Kind == provisioning.KindJoin {
			r.Until = time.Time{}
		}
		grounds, texts = append(grounds, r), append(texts, r.String())
	}
	return grounds, texts
}

// ruled tells whether a rule gives the place: what somebody decides does not take it, because the rule would give it again.
func (l Line) ruled() bool {
	return slices.ContainsFunc(l.Reasons, func(r string) bool { return strings.HasPrefix(r, string(provisioning.KindRule)+" ") })
}

// silent answers what becomes of a line that nobody answers: Keep, Remove, or Finding where it would be taken but a rule gives it.
func (l Line) silent(silence string) string {
	if silence == Remove && l.ruled() {
		return Finding
	}
	return silence
}
