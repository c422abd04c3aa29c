package scim

import (
	engine "github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"
)

func serviceProviderConfig() *engine.ServiceProviderConfig {
	return &engine.ServiceProviderConfig{
		MaxResults:       maxResults,
		SupportFiltering: true,
		SupportPatch:     true,
		AuthenticationSchemes: []engine.AuthenticationScheme{{
			Type:        engine.AuthenticationTypeOauthBearerToken,
			Name:        "OAuth Bearer Token",
			Description: "A token of the source, in the Authorization header.",
			SpecURI:     optional.NewString("https://www.rfc-editor.org/info/rfc6750"),
			Primary:     true,
		}},
	}
}

// finishDiscovery corrects what the library hard codes, and completes meta (RFC 7643 sections 5 to 7).
func (h *Handler) finishDiscovery(object resource, at route, base string) {
	switch at.endpoint {
	case "/ServiceProviderConfig":
		object["sort"] = resource{"supported": true}
		object["etag"] = resource{"supported": true}
		// maxOperations holds for a PATCH too; clients (authentik) cut their PATCHes by it, bulk or not.
		object["bulk"] = resource{"supported": true, "maxOperations": maxOperations, "maxPayloadSize": maxBody}
		if h.cursors { // RFC 9865 section 4
			object["pagination"] = resource{"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": maxResults,
				"maxPageSize": maxResults, "cursorTimeout": int(cursorLife.Seconds())}
		}
		describe(object, "ServiceProviderConfig", base+at.endpoint)
		return
	case "/ResourceTypes":
		each(object, func(r resource) { describe(r, "ResourceType", base+at.endpoint+"/"+text(r, "id")) })
	case "/Schemas":
		each(object, func(r resource) { describe(r, "Schema", base+at.endpoint+"/"+text(r, "id")) })
	}
}

// each runs fn on the resources of a list, or on the one resource.
func each(object resource, fn func(resource)) {
	list, ok := object["Resources"].([]any)
	if !ok {
		fn(object)
		return
	}
	for _, e := range list {
		if element, ok := e.(map[string]any); ok {
			fn(element)
		}
	}
	object["itemsPerPage"] = len(list)
}

func describe(object resource, kind, location string) {
	object["meta"] = resource{"resourceType": kind, "location": location}
	dropEmptyTexts(object)
}

func dropEmptyTexts(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if e == "" {
				delete(v, key)
			} else {
				dropEmptyTexts(e)
			}
		}
	case []any:
		for _, e := range v {
			dropEmptyTexts(e)
		}
	}
}
