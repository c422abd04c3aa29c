package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
)

const (
	leastFree   = 1 << 30 // bytes on the disk of a database file
	followerLag = 1000    // events
)

func (d *doctor) disk(context.Context) {
	path, lite := strings.CutPrefix(d.cfg.Database, "sqlite:")
	if !lite {
		return
	}
	var s unix.Statfs_t
	dir := filepath.Dir(strings.TrimPrefix(path, "//"))
	if err := unix.Statfs(dir, &s); err != nil {
		d.say("disk", stateBad, fmt.Sprintf("%s: %v", dir, err), fmt.Sprintf("%s：%v", dir, err))
		return
	}
	free, state := uint64(s.Bavail)*uint64(s.Bsize), stateFine
	if free < leastFree {
		state = stateBad
	}
	d.say("disk", state, fmt.Sprintf("%d MB free in %s", free>>20, dir), fmt.Sprintf("%s 剩余 %d MB", dir, free>>20))
}

func (d *doctor) open(ctx context.Context) {
	var err error
	if d.db, err = db.OpenRead(ctx, d.cfg.Database); err != nil {
		d.say("database", stateBad, err.Error(), "无法打开："+err.Error())
		return
	}
	version, ask := "", "select sqlite_version()"
	if d.db.Engine == db.Postgres {
		ask = "show server_version"
		if err := d.db.Limit(2); err != nil {
			d.say("database", stateBad, err.Error(), err.Error())
			return
		}
	}
	if err := d.db.Read(ctx).Raw(ask).Scan(&version).Error; err != nil {
		d.say("database", stateBad, err.Error(), "不应答："+err.Error())
		return
	}
	d.say("database", stateFine, string(d.db.Engine)+" "+version, string(d.db.Engine)+" "+version)
}

// clock compares this machine's with PostgreSQL's: half of what the question took is what nobody knows.
func (d *doctor) clock(ctx context.Context) {
	if d.db.Engine != db.Postgres {
		return
	}
	var best, off time.Duration
	for n := range 5 {
		var theirs int64
		before := time.Now()
		if err := d.db.Read(ctx).Raw("select (extract(epoch from clock_timestamp()) * 1000000)::bigint").Scan(&theirs).Error; err != nil {
			d.say("clock", stateBad, err.Error(), err.Error())
			return
		}
		if took := time.Since(before); n == 0 || took < best {
			best, off = took, time.UnixMicro(theirs).Sub(before.Add(took/2))
		}
	}
	off, best = off.Round(time.Millisecond), (best / 2).Round(time.Microsecond)
	state := stateFine
	if off.Abs()-best > d.cfg.ClockLimit {
		state = stateBad
	}
	d.say("clock", state, fmt.Sprintf("the database's is %s ahead of this machine's, give or take %s; at most %s may lie between them", off, best, d.cfg.ClockLimit),
		fmt.Sprintf("数据库时钟比本机快 %s（误差 %s），最多允许 %s", off, best, d.cfg.ClockLimit))
}

// tables looks whether every package's tables are where this program wants them.
func (d *doctor) tables(ctx context.Context) {
	pending, err := d.db.Pending(ctx, migrations())
	switch {
	case err != nil:
		d.say("tables", stateBad, err.Error(), err.Error())
	case len(pending) > 0:
		names := strings.Join(pending, ", ")
		d.say("tables", stateWarn, "will be brought up to date at the next start: "+names, "下次启动时会升级："+names)
	default:
		d.say("tables", stateFine, "up to date", "已是最新")
	}
}

// sealed looks whether what is sealed in the database can be opened.
func (d *doctor) sealed(ctx context.Context) {
	found, err := unreadableIn(ctx, d.db, d.cfg.key)
	switch {
	case err != nil:
		d.say("sealed", stateWarn, "not known: "+err.Error(), "未知："+err.Error())
	case found.stuck:
		d.say("sealed", stateBad, "no node starts: secrets.identity does not open "+found.String(), "节点无法启动：secrets.identity 打不开 "+strings.Join(found.chinese, "、"))
	case len(found.english) > 0:
		d.say("sealed", stateBad, "secrets.identity does not open "+found.String(), "secrets.identity 打不开 "+strings.Join(found.chinese, "、"))
	default:
		d.say("sealed", stateFine, "everything can be opened", "均可打开")
	}
}

// perNode is how many connections to PostgreSQL a node may hold.
func (d *doctor) perNode() int {
	n := d.cfg.Connections
	if d.cfg.Cluster.Bus != "" {
		n += laneConnections
	}
	if d.cfg.OpenFGA.URL == "" && (d.cfg.OpenFGA.Database == "" || !strings.HasPrefix(d.cfg.OpenFGA.Database, "sqlite:")) {
		n += d.cfg.OpenFGA.Connections
	}
	return n
}

// connections looks whether PostgreSQL allows what the nodes may hold together.
func (d *doctor) connections(ctx context.Context) {
	if d.db.Engine != db.Postgres {
		return
	}
	var allowed, nodes int
	if err := d.db.Read(ctx).Raw("select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int").Scan(&allowed).Error; err != nil {
		d.say("connections", stateBad, err.Error(), err.Error())
		return
	}
	if d.cfg.Cluster.Bus != "" && d.db.Read(ctx).Raw("select count(*) from authz_nodes where expires_at > (extract(epoch from clock_timestamp()) * 1000000)::bigint").Scan(&nodes).Error != nil {
		nodes = 0
	}
	nodes = max(nodes, 1)
	want, state := nodes*d.perNode(), stateFine
	if want > allowed {
		state = stateBad
	}
	d.say("connections", state, fmt.Sprintf("%d nodes may hold %d each, %d together; PostgreSQL allows %d", nodes, d.perNode(), want, allowed),
		fmt.Sprintf("%d 个节点各最多 %d 个，共 %d 个；PostgreSQL 允许 %d 个", nodes, d.perNode(), want, allowed))
}

func (d *doctor) restored(ctx context.Context) {
	state, err := backup.Read(ctx, d.db)
	if err == nil && state.Closed() {
		d.say("restore", stateBad, "the database was restored and is closed: rollcall restore status", "数据库已恢复但未开放：rollcall restore status")
	}
}

// followers looks how far behind those are who follow the outbox.
func (d *doctor) followers(ctx context.Context) {
	var rows []struct {
		Name   string
		Behind int64
	}
	if err := d.db.Read(ctx).Raw("select c.name, k.seq - c.seq as behind from feed_cursors c, feed_counter k where k.id = 1 and c.name not like 'lease %' order by c.name").Scan(&rows).Error; err != nil {
		d.say("followers", stateWarn, "not known: "+err.Error(), "未知："+err.Error())
		return
	}
	var aside []struct {
		Follower         string
		Subjects, Denied int
	}
	if err := d.db.Read(ctx).Raw("select follower, count(distinct subject) as subjects, count(distinct case when closed = 1 then person end) as denied from feed_quarantine group by follower order by follower").Scan(&aside).Error; err == nil { // else there are no such tables yet
		for _, one := range aside {
			d.say("followers", stateBad, fmt.Sprintf("%s could not handle something about %d subjects and tries again; %d people are denied everything until then: GET /api/v1/set-aside says why", one.Follower, one.Subjects, one.Denied),
				fmt.Sprintf("%s 有 %d 项无法处理，会重试；在此之前 %d 人被拒绝一切访问：GET /api/v1/set-aside 说明原因", one.Follower, one.Subjects, one.Denied))
		}
	}
	late := len(aside)
	for _, r := range rows {
		if r.Behind > followerLag {
			late++
			d.say("followers", stateWarn, fmt.Sprintf("%s is %d events behind", r.Name, r.Behind), fmt.Sprintf("%s 落后 %d 个事件", r.Name, r.Behind))
		}
	}
	if late == 0 {
		d.say("followers", stateFine, fmt.Sprintf("%d follow", len(rows)), fmt.Sprintf("%d 个跟随者正常", len(rows)))
	}
}

func (d *doctor) openFGA(ctx context.Context) {
	var behind int64
	if err := d.db.Read(ctx).Raw("select k.seq - e.applied_seq from authz_counter k, authz_engine e where k.id = 1 and e.id = 1").Scan(&behind).Error; err != nil {
		d.say("openfga", stateWarn, "not known: "+err.Error(), "未知："+err.Error())
		return
	}
	state := stateFine
	if behind > followerLag {
		state = stateWarn
	}
	d.say("openfga", state, fmt.Sprintf("%d revisions behind", behind), fmt.Sprintf("落后 %d 个版本", behind))
}

// sources looks when each was last in step; what a running reader knows better the console shows.
func (d *doctor) sources(ctx context.Context) {
	var rows []struct {
		Name, Kind string
		SyncedAt   db.Instant
		UsedAt     db.Instant
	}
	if err := d.db.Read(ctx).Raw(`select s.name, s.kind, s.synced_at, (select max(t.last_used_at) from source_tokens t where t.source_id = s.id) as used_at from sources s order by s.name`).Scan(&rows).Error; err != nil {
		d.say("sources", stateWarn, "not known: "+err.Error(), "未知："+err.Error())
		return
	}
	configured := d.cfg.configured()
	for _, r := range rows {
		at := r.SyncedAt.Time
		if r.UsedAt.After(at) {
			at = r.UsedAt.Time
		}
		kind := directory.SourceKind(r.Kind)
		if kind == directory.KindConsole || kind == directory.KindGuests {
			continue
		}
		state, english, chinese := stateFine, "in step at "+at.Format(time.RFC3339), "最近一次同步："+at.Format(time.RFC3339)
		switch {
		case kind == directory.KindLDAP && !slices.Contains(configured, r.Name):
			state, english, chinese = stateWarn, "is not in the configuration: nobody reads it", "不在配置中：没有人读取它"
		case at.IsZero():
			state, english, chinese = stateWarn, "has never been in step", "从未同步"
		case kind != directory.KindHRFeed && time.Since(at) > quietAfter:
			state, english, chinese = stateWarn, "quiet since "+at.Format(time.RFC3339), "自 "+at.Format(time.RFC3339)+" 起没有消息"
		}
		d.say("source "+r.Name, state, english, chinese)
	}
}

// nodes looks at the leases of the deployment's nodes.
func (d *doctor) nodes(ctx context.Context) {
	if d.cfg.Cluster.Bus == "" {
		return
	}
	var rows []struct {
		Node, Version string
		Ago           int64
	}
	if err := d.db.Read(ctx).Raw("select node, version, (extract(epoch from clock_timestamp()) * 1000000)::bigint - expires_at as ago from authz_nodes order by node").Scan(&rows).Error; err != nil {
		d.say("nodes", stateWarn, "not known: "+err.Error(), "未知："+err.Error())
		return
	}
	for _, r := range rows {
		if r.Ago > 0 {
			past := (time.Duration(r.Ago) * time.Microsecond).Round(time.Second)
			d.say("node "+r.Node, stateWarn, fmt.Sprintf("its lease ended %s ago: it did not stop in order", past), fmt.Sprintf("租约已于 %s 前到期：不是正常停止", past))
			continue
		}
		d.say("node "+r.Node, stateFine, "has a lease, version "+r.Version, "租约有效，版本 "+r.Version)
	}
}
