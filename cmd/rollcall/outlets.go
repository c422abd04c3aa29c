package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/audit/outlet"
)

// Audit says where the audit log is carried to, and how it is signed on the way.
type Audit struct {
	Outlets []outlet.Config `koanf:"outlets"`
	Key     string          `koanf:"checkpoint_key"`   // what `rollcall audit keygen` writes; two, while one is exchanged for the other
	Every   time.Duration   `koanf:"checkpoint_every"` // between two checkpoints
}

func (a Audit) check(bad func(key, format string, args ...any)) {
	for _, fault := range outlet.Faults(a.Outlets) {
		bad("audit.outlets"+fault.Key, "%s", fault.Text)
	}
	if _, err := outlet.Signers(a.Key); err != nil {
		bad("audit.checkpoint_key", "%v", err)
	}
	if a.Every < time.Second || a.Every > 24*time.Hour {
		bad("audit.checkpoint_every", "wants a duration from 1s to 24h, not %s", a.Every)
	}
}

// outlets are what carries the audit log to each outlet.
func (a *app) outlets() map[string]func(context.Context) error {
	signers, _ := outlet.Signers(a.cfg.Audit.Key) // check refused what is none
	node := a.cfg.Cluster.node()
	if node == "" {
		node, _ = os.Hostname()
	}
	out := map[string]func(context.Context) error{}
	for _, c := range a.cfg.Audit.Outlets {
		r := &outlet.Runner{DB: a.db, Log: a.log, Config: c, Signers: signers, Every: a.cfg.Audit.Every, Node: node, Client: &http.Client{Transport: a.way.Transport()}}
		out["outlet "+c.Name] = a.once("outlet "+c.Name, r.Run)
	}
	return out
}

// OutletsOutput is how the outlets stand.
type OutletsOutput struct {
	Body struct {
		Size  int64          `json:"size" doc:"records of the log"`
		Items []outlet.State `json:"items" nullable:"false"`
	}
}

// Outlets answers how the outlets of the audit log stand.
func (o *operations) Outlets(ctx context.Context, _ *struct{}) (*OutletsOutput, error) {
	out := &OutletsOutput{}
	var err error
	out.Body.Size, out.Body.Items, err = o.app.outletStates(ctx)
	return out, err
}

func (a *app) outletStates(ctx context.Context) (int64, []outlet.State, error) {
	size, err := audit.Size(ctx, a.db)
	if err != nil {
		return 0, nil, err
	}
	states, err := outlet.States(ctx, a.db, a.cfg.Audit.Outlets, size)
	return size, states, err
}

// outlets looks at what carries the audit log out, beside the log.
func (d *doctor) outlets(ctx context.Context) {
	list := d.cfg.Audit.Outlets
	if len(list) == 0 {
		d.say("audit outlets", stateWarn, "none: whoever administers the database can rewrite the audit log unseen (docs/audit.md)", "没有配置：数据库管理员可以改写审计日志而不被发现（见 docs/audit.zh-CN.md）")
		return
	}
	size, err := audit.Size(ctx, d.db)
	var states []outlet.State
	if err == nil {
		states, err = outlet.States(ctx, d.db, list, size)
	}
	if err != nil {
		d.say("audit outlets", stateBad, err.Error(), err.Error())
		return
	}
	for _, s := range states {
		name := "audit outlet " + s.Name
		switch {
		case s.Problem != "":
			d.say(name, stateBad, fmt.Sprintf("%d records behind since %s: %s", s.Behind, s.ProblemSince.Format(time.RFC3339), s.Problem), fmt.Sprintf("自 %s 起落后 %d 条：%s", s.ProblemSince.Format(time.RFC3339), s.Behind, s.Problem))
		case d.cfg.Audit.Key == "":
			d.say(name, stateWarn, "takes records, and nothing is signed: audit.checkpoint_key is missing", "已接收记录，但没有签名检查点：缺少 audit.checkpoint_key")
		default:
			d.say(name, stateFine, fmt.Sprintf("%d records behind, signed up to %d", s.Behind, s.CheckpointSize), fmt.Sprintf("落后 %d 条，已签名至第 %d 条", s.Behind, s.CheckpointSize))
		}
	}
}

func auditKeygenCommand() *cobra.Command {
	c := &cobra.Command{Use: "keygen NAME FILE", Short: "Make a key that signs checkpoints of the audit log: the secret into FILE, and print the public one", Args: cobra.ExactArgs(2)}
	c.RunE = func(c *cobra.Command, args []string) error {
		secret, public, err := outlet.NewKey(args[0])
		if err != nil {
			return err
		}
		if err := wholeFile(c, args[1], func(w io.Writer) error {
			_, err := fmt.Fprintln(w, secret)
			return err
		}); err != nil {
			return err
		}
		return write(c, map[string]string{"key": public}, func(w io.Writer) { fmt.Fprintln(w, public) })
	}
	return c
}

// checkpointIn answers what the last checkpoint in a file says: an object of its own, or among the lines of an outlet.
func checkpointIn(path string, keys []string) (audit.Report, error) {
	known, err := verifiers(keys)
	if err != nil {
		return audit.Report{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return audit.Report{}, err
	}
	return outlet.Open(outlet.Last(string(text)), known)
}

func verifiers(keys []string) (note.Verifiers, error) {
	if len(keys) == 0 {
		return nil, errors.New("--key is missing: the public key that `rollcall audit keygen` printed")
	}
	return outlet.Verifiers(keys)
}

// verifyStreams holds files of an outlet against their checkpoints.
func verifyStreams(c *cobra.Command, paths, keys []string) error {
	known, err := verifiers(keys)
	if err != nil {
		return err
	}
	s := &outlet.Stream{Keys: known}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(s.Read(file), file.Close())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	proof, err := s.Proof()
	if err != nil {
		return err
	}
	return write(c, proof, func(w io.Writer) {
		fmt.Fprintf(w, "%d records, %d of them proven by %d checkpoints, %d told again, root %s\n", proof.Records, proof.Proven, proof.Checkpoints, proof.Repeated, proof.Root)
	})
}
