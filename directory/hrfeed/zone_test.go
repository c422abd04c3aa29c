package hrfeed

import "testing"

// TestDayZone asks where days begin: by the unit, one above it, the company, then by default.
func TestDayZone(t *testing.T) {
	m := Mapping{TimeZone: "Asia/Shanghai", TimeZones: map[string]string{"Aurora/Berlin": "Europe/Berlin", "Plant": "Asia/Tokyo"}}
	for rec, want := range map[[2]string]string{{"Aurora/Berlin", ""}: "Europe/Berlin", {"Aurora/Berlin/Sales", "Plant"}: "Asia/Tokyo", {"Aurora/Berlin/Sales", ""}: "Europe/Berlin",
		{"Aurora/Berlinale", ""}: "Asia/Shanghai", {"", "Plant"}: "Asia/Tokyo", {"", ""}: "Asia/Shanghai"} {
		if got := m.zoneOf(rec[0], rec[1]); got != want {
			t.Errorf("%v: %s, want %s", rec, got, want)
		}
	}
	if got := (Mapping{}).zoneOf("a/b", "c"); got != "" {
		t.Errorf("of no feed: %q", got)
	}
}
