package ldap

import (
	"context"
	"errors"
)

// judgeFollowing finds out how changes will be heard of, where the server tells only when it is asked.
func (cl *Client) judgeFollowing(ctx context.Context, c *conn, find func(Severity, string, string, ...any)) error {
	way, err := cl.asked(c)
	if err == nil && way != nil {
		_, err = way.begin(ctx)
	}
	if errors.Is(err, ErrNoStream) {
		find(Warning, "no_stream", "changes are seen only by reading everything again: %v", err)
		return nil
	}
	if err != nil || way == nil {
		return err
	}
	d, ok := way.(*domain)
	if !ok {
		find(Info, "by_time", "the server tells no changes; they are found by modifyTimestamp, and what is gone each %v by listing everything", c.p.Inventory)
		return nil
	}
	if d.at.Way == byUSN {
		find(Warning, "no_replication_right", "the account may not replicate changes, so they are found by uSNChanged of this one domain controller. "+
			"Give it the right \"Replicating Directory Changes\" (DS-Replication-Get-Changes) on %s; \"Replicating Directory Changes All\" is not needed", d.root)
	}
	blind, err := d.blind(ctx)
	if err != nil {
		return err
	}
	if blind {
		find(Warning, "deletions_hidden", "the account is not shown what is deleted: deletions are found each %v by listing everything. "+
			"Disabled accounts are seen at once. On Samba only an administrator is shown deletions", c.p.Inventory)
	}
	return nil
}
