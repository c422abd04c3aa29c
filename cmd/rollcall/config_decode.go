package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
)

// decode fills cfg and refuses every key that Config does not have.
func decode(k *koanf.Koanf, cfg *Config) error {
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook:       duration,
		Metadata:         &meta,
		Result:           cfg,
		WeaklyTypedInput: true,
		TagName:          "koanf",
	}})
	if err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	if len(meta.Unused) > 0 {
		slices.Sort(meta.Unused)
		return fmt.Errorf("unknown keys: %s", strings.Join(meta.Unused, ", "))
	}
	return nil
}

// duration reads a duration, and says what stands there instead of one.
func duration(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	text := reflect.ValueOf(value).String()
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("wants a duration, as 30s or 5m, not %q", text)
	}
	return d, nil
}

// oneText refuses a list where an LDAP source wants its servers in one text.
func oneText(raw map[string]any) error {
	var errs []error
	sources, _ := raw["ldap"].([]any)
	for i, source := range sources {
		keys, _ := source.(map[string]any)
		if _, list := keys["url"].([]any); list {
			errs = append(errs, fmt.Errorf("ldap[%d].url: wants one text, with blanks between the servers, not a list", i))
		}
	}
	return errors.Join(errs...)
}
