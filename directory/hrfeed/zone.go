package hrfeed

import (
	"context"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// zonesFor is how long the zones of a source are taken as they were read.
const zonesFor = 10 * time.Second

// zones are those of a source, as they were read.
type zones struct {
	m  Mapping
	at time.Time
}

// DayZone names where days begin for somebody of whom no record says where they are, by what the source's mapping says of their unit, of a unit above it,
// of their company, and of everybody; empty for a source that is no HR feed.
func (f *Feeds) DayZone(rec directory.Record) string {
	return f.zones(rec.Source).zoneOf(rec.UnitKey, rec.Company)
}

// zoneOf names the zone of who is in a unit and a company; empty where nothing says one.
func (m Mapping) zoneOf(unit, company string) string {
	names := []string{m.TimeZones[unit], m.TimeZones[company]}
	for i := strings.LastIndex(unit, "/"); i >= 0; i = strings.LastIndex(unit, "/") {
		unit = unit[:i]
		names = append(names, m.TimeZones[unit])
	}
	for _, name := range append(names, m.TimeZone) {
		if _, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
			return name
		}
	}
	return ""
}

// zones answers the mapping of a source, some seconds old at most; none where it cannot be read.
func (f *Feeds) zones(source id.Source) Mapping {
	f.mu.Lock()
	known, is := f.read[source]
	f.mu.Unlock()
	now := time.Now()
	if is && now.Sub(known.at) < zonesFor {
		return known.m
	}
	m, err := f.mapping(context.Background(), source)
	if err != nil {
		m = Mapping{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read == nil {
		f.read = map[id.Source]zones{}
	}
	f.read[source] = zones{m, now}
	return m
}
