/* The mapping table against a model that has no index at all: a list, searched from one
 * end to the other. Every way of asking must give what the list gives, after every step.
 */
#include "fakes_random.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	STEPS = 40000,
	ENTRIES_MAX = 400,
	HOSTS = 8,
	PORTS = 60,
	REMOTES = 3,
	ENDS = 5,
	IDS = 300, /* few, so that they collide; also in the table's buckets */
};

/* In the order in which they were added. */
struct entry {
	struct mapping mapping;
	struct mapping *real;
	bool leaving;
	bool at_start; /* of the walk under way */
	bool seen;
};

struct model {
	struct table *table;
	struct entry entries[ENTRIES_MAX];
	size_t n;
	int64_t now_ms;
	int64_t latest_ms; /* of all times used so far */
	uint32_t walk_at;
	bool walking;
};

static struct igw_addr host(uint32_t number)
{
	return igw_addr_from_v4(0x0a000000 + number);
}

static struct igw_addr remote(uint32_t number)
{
	return number == 0 ? (struct igw_addr){ 0 }
			   : igw_addr_from_v4(0xcb007100 + number);
}

static uint8_t protocol(void)
{
	return random_below(2) ? IGW_TCP : IGW_UDP;
}

/* Ids that share buckets. */
static uint32_t id(void)
{
	uint32_t number = random_below(IDS);

	return number % 10 + (number / 10) * 65536;
}

static struct entry *model_find(
	struct model *model, uint8_t proto, uint16_t port, const struct igw_addr *from)
{
	for (size_t i = 0; i < model->n; i++) {
		const struct mapping *m = &model->entries[i].mapping;

		if (m->protocol == proto && m->external_port == port &&
			(!from || igw_addr_equal(&m->remote_host, from)))
			return &model->entries[i];
	}
	return NULL;
}

static struct entry *model_find_id(struct model *model, uint32_t number)
{
	for (size_t i = 0; i < model->n; i++) {
		if (model->entries[i].mapping.id == number)
			return &model->entries[i];
	}
	return NULL;
}

static bool same_end(const struct mapping *a, const struct mapping *b)
{
	return a->protocol == b->protocol && a->internal_port == b->internal_port &&
	       igw_addr_equal(&a->internal_client, &b->internal_client);
}

static void fill_changeable(struct model *model, struct mapping *m)
{
	m->lease_s = random_below(1000);
	m->expires_ms = model->now_ms + random_below(500);
	m->internal_client = host(random_below(HOSTS));
	m->internal_port = (uint16_t)(1 + random_below(ENDS));
	m->via = (uint8_t)random_below(3);
	m->enabled = random_below(4) != 0;
	m->mac.b[5] = (uint8_t)random_below(256);
	memset(m->rule, 0, sizeof(m->rule));
	memset(m->description, 0, sizeof(m->description));
	snprintf(m->rule, sizeof(m->rule), "rule-%u", random_below(100));
	snprintf(m->description, sizeof(m->description), "text %u", random_below(100));
	if (m->expires_ms > model->latest_ms)
		model->latest_ms = m->expires_ms;
}

static void step_add(struct model *model)
{
	struct mapping m;
	const struct entry *same_port;
	struct mapping *real;
	bool possible;

	memset(&m, 0, sizeof(m)); /* with its padding, as entries are compared */
	m.id = id();
	m.created_s = (int64_t)random_below(1000);
	m.client = host(random_below(HOSTS));
	m.remote_host = remote(random_below(REMOTES));
	m.external_port = (uint16_t)(1 + random_below(PORTS));
	m.protocol = protocol();
	strcpy(m.interface, "br-lan");
	fill_changeable(model, &m);
	if (random_below(50) == 0)
		m.protocol = (uint8_t)random_below(256);
	same_port = model_find(model, m.protocol, m.external_port, NULL);
	if (same_port) /* as the table may expect of its callers */
		m.client = same_port->mapping.client;
	possible = m.id != 0 && !model_find_id(model, m.id) &&
		   (m.protocol == IGW_TCP || m.protocol == IGW_UDP) &&
		   !model_find(model, m.protocol, m.external_port, &m.remote_host);
	if (model->n == ENTRIES_MAX)
		return;
	real = table_add(model->table, &m);
	assert_true((real != NULL) == possible);
	if (real)
		model->entries[model->n++] = (struct entry){ .mapping = m, .real = real };
}

static void step_change(struct model *model)
{
	struct entry *entry;
	struct mapping to;

	if (model->n == 0)
		return;
	entry = &model->entries[random_below((uint32_t)model->n)];
	if (entry->leaving)
		return;
	to = entry->mapping;
	fill_changeable(model, &to);
	entry->mapping = to;
	/* What may not change does not, whatever the caller says. */
	to.id ^= 1;
	to.external_port ^= 1;
	to.protocol = 99;
	to.client = remote(1);
	to.remote_host = host(1);
	to.created_s = 1;
	strcpy(to.interface, "other");
	table_change(model->table, entry->real, &to);
}

static void step_remove(struct model *model)
{
	size_t at;

	if (model->n == 0)
		return;
	at = random_below((uint32_t)model->n);
	table_remove(model->table, model->entries[at].real);
	memmove(&model->entries[at], &model->entries[at + 1],
		(model->n - at - 1) * sizeof(model->entries[0]));
	model->n--;
}

static void model_end(const struct model *model, const struct mapping *of, uint32_t *refs,
	uint32_t *leaving, int64_t *last_ms)
{
	*refs = *leaving = 0;
	*last_ms = 0;
	for (size_t i = 0; i < model->n; i++) {
		const struct entry *entry = &model->entries[i];

		if (!entry->mapping.enabled || !same_end(&entry->mapping, of))
			continue;
		++*refs;
		*leaving += entry->leaving;
		if (entry->mapping.expires_ms > *last_ms)
			*last_ms = entry->mapping.expires_ms;
	}
}

static void step_leave(struct model *model)
{
	struct entry *entry;
	uint32_t refs, leaving;
	int64_t last_ms;
	bool last;

	if (model->n == 0)
		return;
	entry = &model->entries[random_below((uint32_t)model->n)];
	if (random_below(2)) {
		table_stay(model->table, entry->real);
		entry->leaving = false;
		return;
	}
	model_end(model, &entry->mapping, &refs, &leaving, &last_ms);
	last = entry->mapping.enabled && !entry->leaving && leaving + 1 == refs;
	assert_int_equal(table_leave(model->table, entry->real), last);
	entry->leaving = entry->leaving || entry->mapping.enabled;
}

/* Whoever is there from the start of a walk to its end is met once. */
static void step_walk(struct model *model)
{
	struct mapping *real;

	if (!model->walking) {
		model->walking = true;
		model->walk_at = 0;
		for (size_t i = 0; i < model->n; i++) {
			model->entries[i].at_start = true;
			model->entries[i].seen = false;
		}
	}
	real = table_next(model->table, &model->walk_at);
	for (size_t i = 0; i < model->n; i++) {
		struct entry *entry = &model->entries[i];

		if (real == entry->real) {
			assert_false(entry->seen);
			entry->seen = true;
			return;
		}
		assert_true(real || !entry->at_start || entry->seen);
	}
	assert_null(real);
	model->walking = false;
}

static void check_finds(struct model *model)
{
	uint8_t proto = protocol();
	uint16_t port = (uint16_t)(1 + random_below(PORTS));
	struct igw_addr from = remote(random_below(REMOTES));
	const struct entry *entry = model_find(model, proto, port, &from);
	uint32_t number = id();

	assert_ptr_equal(
		table_find(model->table, proto, port, &from), entry ? entry->real : NULL);
	entry = model_find_id(model, number);
	assert_ptr_equal(table_find_id(model->table, number), entry ? entry->real : NULL);
	entry = model_find(model, proto, port, NULL);
	assert_true(
		(table_find_port(model->table, proto, port) != NULL) == (entry != NULL));
	assert_null(table_find(model->table, 132, port, &from));
	assert_null(table_find_port(model->table, 0, port));
}

static void check_owner(struct model *model)
{
	struct igw_addr owner = host(random_below(HOSTS));
	uint32_t index = random_below(40), n = 0;
	const struct mapping *expected = NULL;
	const struct client *client = clients_find(table_clients(model->table), &owner);

	for (size_t i = 0; i < model->n; i++) {
		if (!igw_addr_equal(&model->entries[i].mapping.client, &owner))
			continue;
		if (n++ == index)
			expected = model->entries[i].real;
	}
	assert_ptr_equal(table_find_index(model->table, &owner, index), expected);
	assert_int_equal(client ? client->mappings : 0, n);
}

static void check_times(struct model *model)
{
	struct mapping *due[8];
	int64_t first_ms = INT64_MAX;
	size_t n = 0, max = 1 + random_below(COUNT(due)), found;

	for (size_t i = 0; i < model->n; i++) {
		n += model->entries[i].mapping.expires_ms <= model->now_ms;
		if (model->entries[i].mapping.expires_ms < first_ms)
			first_ms = model->entries[i].mapping.expires_ms;
	}
	assert_int_equal(table_next_due_ms(model->table), first_ms);
	found = table_due(model->table, model->now_ms, due, max);
	assert_int_equal(found, n < max ? n : max);
	for (size_t i = 0; i < found; i++) {
		assert_true(due[i]->expires_ms <= model->now_ms);
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(due[i], due[j]);
	}
}

static void check_end(struct model *model)
{
	struct mapping of = { .protocol = protocol(),
		.internal_client = host(random_below(HOSTS)),
		.internal_port = (uint16_t)(1 + random_below(ENDS)) };
	uint32_t refs, leaving;
	int64_t last_ms, expires_ms = -7;

	model_end(model, &of, &refs, &leaving, &last_ms);
	assert_int_equal(table_endpoint(model->table, of.protocol, &of.internal_client,
				 of.internal_port, &expires_ms),
		refs);
	if (refs == 0)
		assert_int_equal(expires_ms, -7);
	else
		assert_true(expires_ms >= last_ms && expires_ms <= model->latest_ms);
}

static void check_all(struct model *model)
{
	struct clients *clients = table_clients(model->table);
	uint32_t holding = 0, lacking = 0;

	assert_int_equal(table_count(model->table), model->n);
	for (size_t i = 0; i < model->n; i++) {
		const struct entry *entry = &model->entries[i];

		assert_memory_equal(entry->real, &entry->mapping, sizeof(entry->mapping));
		assert_in_range(table_position(model->table, entry->real), 0,
			TABLE_MAPPINGS_MAX - 1);
	}
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct igw_addr addr = host(i);
		const struct client *client = clients_find(clients, &addr);

		if (!client || client->mappings == 0)
			continue;
		holding++;
		lacking += client->mappings < 10 ? 10 - client->mappings : 0;
	}
	assert_int_equal(clients_holding(clients), holding);
	assert_int_equal(clients_lacking(clients, 10), lacking);
}

static void step(struct model *model, uint32_t phase)
{
	uint32_t kind = random_below(10);

	/* The table fills up in one phase and empties in the next. */
	if (kind < 3)
		phase % 2 == 0 ? step_add(model) : step_remove(model);
	else if (kind == 3)
		phase % 2 == 1 ? step_add(model) : step_remove(model);
	else if (kind == 4)
		step_change(model);
	else if (kind == 5)
		step_leave(model);
	else if (kind < 9)
		step_walk(model);
	else
		model->now_ms += random_below(5);
}

static void test_random(void **state)
{
	struct model *model = calloc(1, sizeof(*model));

	(void)state;
	assert_non_null(model);
	assert_int_equal(table_new(random_u64(), &model->table), 0);
	for (uint32_t i = 0; i < STEPS; i++) {
		step(model, i / 2000);
		check_finds(model);
		check_owner(model);
		check_times(model);
		check_end(model);
		if (i % 50 == 0)
			check_all(model);
	}
	while (model->n > 0)
		step_remove(model);
	check_all(model);
	assert_int_equal(clients_holding(table_clients(model->table)), 0);
	table_free(model->table);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random),
	};

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
