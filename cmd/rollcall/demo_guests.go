package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

// letIn adds two suppliers and some of their people: of different terms, and one who waits for others to agree. What is there already stays.
func (d *demoServer) letIn(ctx context.Context, cause directory.Cause) error {
	boss, err := d.find(ctx, d.boss().Number)
	if err != nil {
		return err
	}
	groups, err := d.app.access.Groups(ctx)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Hour)
	for _, c := range []guests.Company{
		{Key: "nordwind", Names: map[string]string{"en": "Nordwind Automation", "zh": "北风自动化"}, Domains: []string{"nordwind.example"}, Owner: boss, Documents: []string{"MSA 2026-114"}, EndsAt: now.AddDate(0, 10, 0)},
		{Key: "lingyun", Names: map[string]string{"en": "Lingyun Software", "zh": "凌云软件"}, Domains: []string{"lingyun.example"}, Owner: boss, Documents: []string{"NDA 0731"}, Most: 20},
	} {
		if _, err := d.app.guests.AddCompany(ctx, cause, c); err != nil && !errors.Is(err, guests.ErrExists) {
			return fmt.Errorf("company %s: %w", c.Key, err)
		}
	}
	known, _, err := d.app.guests.Guests(ctx, guests.Query{})
	if err != nil {
		return err
	}
	for _, g := range []struct {
		company, email, name, group, channel, reason string
		days                                         int
	}{
		{"nordwind", "ingrid.voss@nordwind.example", "Ingrid Voss", "forge", "engineering", "Commissioning of line 3", 150},
		{"nordwind", "per.lund@nordwind.example", "Per Lund", "forge", "engineering", "Spare parts for line 3", 5},
		{"lingyun", "zhou.min@lingyun.example", "周敏", "forge", "engineering", "产线看板开发", 24},
		{"lingyun", "qian.yi@lingyun.example", "钱毅", "mercury", "releases", "移动端测试", 60},
	} {
		at := slices.IndexFunc(groups, func(o provisioning.GroupView) bool { return o.Key == g.group })
		if at < 0 || slices.ContainsFunc(known, func(o guests.Guest) bool { return o.Email == g.email }) {
			continue
		}
		if _, _, err := d.app.guests.Invite(ctx, cause, guests.Wish{Company: g.company, Email: g.email, Name: g.name, Sponsor: boss, Group: groups[at].ID, Channels: []string{g.channel},
			Until: now.AddDate(0, 0, g.days), Reason: g.reason, Any: true}); err != nil {
			return fmt.Errorf("guest %s: %w", g.name, err)
		}
	}
	return nil
}
