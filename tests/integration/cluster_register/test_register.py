"""Proven: fifty users register at three cores at the same time, by HTTP. Different ones: each lands exactly
once, and afterwards no core has more than one user more than another. The same one: one registration
succeeds, and everybody else is told where the user is. Whatever is written at one core is answered by
all."""
import collections
import concurrent.futures

import pytest

import cluster as c
import harness
import web

COUNT = 50
PORT = 8053
KEY = "an-admin-key-of-the-tests"  # cluster.py's

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    def listed(core):
        """{core: users} as the API counts them; {}: it does not answer yet."""
        try:
            with web.Web(None, port=PORT, host=core.address, key=KEY) as client:
                answer = client.get("/system/admin/cores")
        except ConnectionRefusedError:
            return {}
        return {one["id"]: one["userCount"] for one in answer.json().get("cores", [])}

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest(), 3, config={"http": {"port": PORT}})
        for core in made:
            core.spawn()
        made.ready()
        for core in made:
            harness.until(f"{core.id} knows all three", lambda core=core: len(listed(core)) == 3, 30, 0.1)
        yield made
        made.end()

    def put(core, name, body=None):
        with web.Web(None, port=PORT, host=core.address, key=KEY, deadline_s=60) as client:
            return client.ask("PUT", f"/system/admin/users/{name}", body=body)

    def all_at_once(cluster, names):
        """Registers NAMES in turn at the cores; the answers."""
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            asked = [pool.submit(put, cluster[i % 3], name) for i, name in enumerate(names)]
            return [one.result() for one in asked]

    def test_different_users(cluster):
        names = [f"user-{i:02}" for i in range(COUNT)]
        answers = all_at_once(cluster, names)
        assert [a.status for a in answers] == [201] * COUNT, answers
        homes = {a.json()["user"]["username"]: a.json()["user"]["core"]["id"] for a in answers}
        assert sorted(homes) == names
        spread = collections.Counter(homes.values())
        print(f"{COUNT} different users at once on three cores: {dict(spread)}")
        assert set(spread) == {core.id for core in cluster}
        assert max(spread.values()) - min(spread.values()) <= 1, spread
        for core in cluster:
            harness.until(f"{core.id} counts them all", lambda core=core: listed(core) == spread)
        addresses = {core.id: core.ip for core in cluster}
        for name, home in homes.items():
            cluster.everywhere(name, [addresses[home]])

    def test_the_same_user(cluster):
        answers = all_at_once(cluster, ["one-and-only"] * COUNT)
        statuses = collections.Counter(a.status for a in answers)
        print(f"the same user {COUNT} times at once: {dict(statuses)}")
        assert statuses == {201: 1, 409: COUNT - 1}, answers
        home = next(a.json()["user"]["core"]["id"] for a in answers if a.status == 201)
        refused = [a.json()["error"] for a in answers if a.status == 409]
        assert {(e["id"], e["core"]["id"]) for e in refused} == {("user-exists", home)}
        cluster.everywhere("one-and-only", [next(core.ip for core in cluster if core.id == home)])
        assert sum(listed(cluster[0]).values()) == COUNT + 1

    def test_found_from_everywhere(cluster):
        """Discovery, at a core that the user was not registered at."""
        answer = put(cluster[0], "found-me", {"core": cluster[2].id})
        assert answer.status == 201, answer
        for core in cluster:
            with web.Web(None, port=PORT, host=core.address, key="") as client:
                harness.until(f"{core.id} knows", lambda client=client: client.get(
                    "/reg/cores?username=found-me").status == 200)
                found = client.get("/reg/cores?username=FOUND-ME").json()
            assert found == {"core": {"url": f"https://{cluster[2].id}.{harness.DOMAIN}/"}}
