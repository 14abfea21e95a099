package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
)

//go:embed products.json
var productsJSON []byte

func products() ([]catalogclient.NewProduct, error) {
	var all []catalogclient.NewProduct
	if err := json.Unmarshal(productsJSON, &all); err != nil {
		return nil, fmt.Errorf("products.json: %w", err)
	}
	return all, nil
}

// seed fills the catalog. A product that is there already stays as it is, so the demo can be repeated.
func seed(ctx context.Context, s *stack, out *report) error {
	all, err := products()
	if err != nil {
		return err
	}
	added := 0
	for _, p := range all {
		a, err := s.catalog.call(ctx, http.MethodPost, "/products", p)
		if err != nil {
			return err
		}
		switch a.status {
		case http.StatusCreated:
			added++
		case http.StatusConflict: // from the last time
		default:
			return &errStatus{s.catalog.name, "POST /products", a}
		}
	}
	out.title("The catalog")
	out.line("%d products, %d of them new:", len(all), added)
	out.link(s.catalog.base + "/products")
	return nil
}

// restock makes sure that there are some units of each product, so that repeated demos do not sell it out.
func restock(ctx context.Context, s *stack, products []string) error {
	const few, many = 10, 100
	units, err := s.stock(ctx, products)
	if err != nil {
		return err
	}
	for id, n := range units {
		if n >= few {
			continue
		}
		a, err := s.catalog.call(ctx, http.MethodPost, "/products/"+id+"/restock",
			catalogclient.Restocking{Quantity: many}, "Idempotency-Key: demo-"+uuid.NewString())
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return &errStatus{s.catalog.name, "POST /products/" + id + "/restock", a}
		}
	}
	return nil
}
