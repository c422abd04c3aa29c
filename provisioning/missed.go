package provisioning

import "github.com/rollcall-im/rollcall/directory"

// missed says since when no source shows the person any more, and which one missed them last.
func (x *explainer) missed() Line {
	var last directory.Record
	for _, r := range x.fact.Records {
		if r.DeletedAt.IsZero() && r.AbsentSince.After(last.AbsentSince) {
			last = r
		}
	}
	line := Line{Kind: "person", Since: last.AbsentSince, By: x.sourceName(last.Source), Text: Text{"No source knows the person any more", "所有来源都已不再包含此人"}}
	if !last.AbsentSince.IsZero() {
		at := momentText(last.AbsentSince)
		line.Text.EN += ", since " + at
		line.Text.ZH += "，自 " + at + " 起"
	}
	return line
}
