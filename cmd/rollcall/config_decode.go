package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
)

// decode fills cfg and refuses every key that Config does not have.
func decode(k *koanf.Koanf, cfg *Config) error {
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook:       mapstructure.StringToTimeDurationHookFunc(),
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

// oneText refuses a list where an LDAP source wants its servers in one text.
func oneText(raw map[string]any) error {
	sources, _ := raw["ldap"].([]any)
	for i, source := range sources {
		keys, _ := source.(map[string]any)
		if _, list := keys["url"].([]any); list {
			return fmt.Errorf("ldap[%d].url: wants one text, with blanks between the servers, not a list", i)
		}
	}
	return nil
}
