package outlet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/rollcall-im/rollcall/internal/outbound"
)

// S3 says what an object store is besides its bucket.
type S3 struct {
	Endpoint  string        `koanf:"endpoint"`   // https://s3.example.com
	Region    string        `koanf:"region"`     // empty: us-east-1
	AccessKey string        `koanf:"access_key"` // id of the key; the secret is the outlet's
	Retain    time.Duration `koanf:"retain"`     // how long nobody can delete or overwrite what was put there; 180 days at least
}

const leastRetain = 180 * 24 * time.Hour

func (s S3) check(bad func(key, format string, args ...any), bucket *url.URL, secret string) {
	at, err := url.Parse(s.Endpoint)
	local := err == nil && outbound.Loopback(at.Hostname())
	if err != nil || at.Host == "" || at.Path != "" || at.Scheme != "https" && !(at.Scheme == "http" && local) {
		bad("endpoint", "wants https://host")
	}
	if bucket.Host == "" {
		bad("url", "has no bucket, as s3://bucket/prefix")
	}
	if s.AccessKey == "" || secret == "" {
		bad("access_key", "and secret are needed")
	}
	if s.Retain != 0 && s.Retain < leastRetain {
		bad("retain", "wants 4320h or more, not %s", s.Retain)
	}
}

var errUnlocked = errors.New("object lock is not enabled")

// bucket is an object store that nobody can delete from before the time is over (S3 Object Lock, compliance mode). Every part is an object of its own.
type bucket struct {
	taken
	client         *minio.Client
	name, prefix   string
	linger, retain time.Duration
	locks          bool // the bucket was seen to lock objects
}

func (c Config) openS3(u *url.URL, base *http.Client) (*bucket, error) {
	at, err := url.Parse(c.S3.Endpoint)
	if err != nil {
		return nil, err
	}
	shared, err := c.http(base)
	if err != nil {
		return nil, err
	}
	region := c.S3.Region
	if region == "" {
		region = "us-east-1"
	}
	client, err := minio.New(at.Host, &minio.Options{Creds: credentials.NewStaticV4(c.S3.AccessKey, c.Secret, ""), Secure: at.Scheme == "https", Region: region, Transport: shared.Transport, MaxRetries: 1})
	if err != nil {
		return nil, err
	}
	b := &bucket{client: client, name: u.Host, prefix: strings.Trim(u.Path, "/"), linger: c.Linger, retain: max(c.S3.Retain, leastRetain)}
	if b.linger == 0 {
		b.linger = time.Minute
	}
	if b.prefix != "" {
		b.prefix += "/"
	}
	return b, nil
}

// Linger implements sink.
func (b *bucket) Linger() time.Duration { return b.linger }

// Send implements sink. Numbers in names have 20 digits, so that their order is that of the log.
func (b *bucket) Send(ctx context.Context, p Part) error {
	if !b.locks {
		if state, _, _, _, err := b.client.GetObjectLockConfig(ctx, b.name); err != nil || state != "Enabled" {
			return fmt.Errorf("bucket %s does not say that it locks objects: %w", b.name, cmp.Or(err, errUnlocked))
		}
		b.locks = true
	}
	if n := len(p.Records); n > 0 {
		body, err := Part{Records: p.Records}.lines()
		if err != nil {
			return err
		}
		if err := b.put(ctx, fmt.Sprintf("records/%020d-%020d.jsonl", p.Records[0].Seq, p.Records[n-1].Seq), "application/jsonl", body); err != nil {
			return err
		}
	}
	if p.Checkpoint != "" {
		_, behind, _ := strings.Cut(p.Checkpoint, "\n")
		size, _, _ := strings.Cut(behind, "\n")
		if err := b.put(ctx, "checkpoints/"+strings.Repeat("0", max(20-len(size), 0))+size+".txt", "text/plain; charset=utf-8", []byte(p.Checkpoint)); err != nil {
			return err
		}
	}
	b.note(p)
	return nil
}

func (b *bucket) put(ctx context.Context, name, kind string, body []byte) error {
	_, err := b.client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		ContentType: kind, Mode: minio.Compliance, RetainUntilDate: time.Now().Add(b.retain).UTC(), SendContentMd5: true, DisableMultipart: true,
	})
	return err
}

// Close implements sink.
func (b *bucket) Close() error { return nil }
