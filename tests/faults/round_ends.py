# io: how a round ends, and what must then be true: both sites equal after an end in order; exactly writes 1..A after the loss of the primary
# site, A not below what had been acknowledged; nothing pretended after the primary's host lost its page cache; exactly the point of
# suspension after a stall that no ring could hold. The witness and the checker decide.
import os

import checker
import harness
from fault_kinds import lose_page_cache
from harness import SESSION, wait_until
from scenario import assert_equal_once_idle, lost_list_problem, recovery_point, run_audit, state


class Wrong(Exception):
    """What must hold does not."""


def demand(condition, text):
    if not condition:
        raise Wrong(text)


def is_bank(plant):
    return plant.guests["SYSA"][0] == "bank"


def end_in_order(plant):
    for hercules in plant.herculeses.values():
        demand(hercules.quit(60) == 0, f"{hercules.name} ended with {hercules.child.returncode}")
    assert_equal_once_idle(plant, 120)
    verdict = check(plant, "SITEB") if plant.checkable else None
    plant.explain("DSML102W")  # the end of the session ends its link
    plant.dsm("SITEA", f"F DSM,XEND {SESSION}")
    plant.dsmds["SITEB"].wait_log("DSMM132I", 30)
    for site in ("SITEA", "SITEB"):
        code = plant.dsmds[site].terminate()
        demand(code == 0, f"dsmd of {site} ended with {code}")
    if is_bank(plant) and not plant.disturbed_primary:
        run_audit(plant, "SITEA")
    return "equal" + (f", {verdict.text()}" if verdict else "")


def check(plant, site, total=None):
    """The witness's word on the images of a site. It wraps the product, so it encloses the moment of numbering."""
    verdict = checker.check(plant.witness_file, plant.checker_volumes(site), strict=True, total=total)
    demand(verdict.problem == "", verdict.problem)
    return verdict


def primary_processes(plant):
    return [*plant.herculeses.values(), plant.dsmds["SITEA"]]


def take_over(plant):
    """The primary site is killed; the secondary's dsmd, or its whole host, may die with it or in the middle of the recovery."""
    plant.note("site SITEA killed")
    plant.kill_together(primary_processes(plant))
    return recover_and_check(plant, int(plant.storage()["acknowledged"]))


def recover_and_check(plant, acknowledged):
    plant.explain("DSML102W", "DSMS110W")
    if plant.lie:
        plant.note("planted: what SITEB synced is not durable", fault=False)
    choices = ["lives", "lives", "dies before", "dies during"]
    if "SITEB" in plant.record:
        choices = ["its host is lost before", "its host is lost during", "its host is lost after", "dies during"]
    if plant.lie:
        choices = ["its host is lost before"]
    second = plant.chance.choice(choices)
    if second.endswith("during"):
        asked = plant.ask_without_waiting("SITEB", f"F DSM,XRECOVER {SESSION}")
        if plant.chance.random() < 0.7:
            wait_until(lambda: "DSMM140I" in plant.dsmds["SITEB"].log() or asked.child.poll() is not None, 30, "the recovery to begin", 0.001)
    if "before" in second or "during" in second:
        plant.note(f"dsmd of SITEB killed: {second} the recovery")
        plant.kill(plant.dsmds["SITEB"])
        if "host" in second:
            plant.note(f"  {lose_page_cache(plant, 'SITEB').text()}", fault=False)
        if second.endswith("during"):
            asked.wait()
            plant.killed.add(asked.child.pid)  # its end is that of the dsmd it had asked
        plant.start_dsmd("SITEB")
    # 8: refused because it was complete before the kill; the loss report, read next, must then be there.
    answer = plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4, 8) if second.endswith("during") else (0, 4))
    if second.endswith("after"):
        plant.note("host of SITEB lost after the recovery")
        plant.kill(plant.dsmds["SITEB"])
        plant.note(f"  {lose_page_cache(plant, 'SITEB').text()}", fault=False)
        plant.start_dsmd("SITEB")
        shown = plant.dsm("SITEB", f"F DSM,XQUERY {SESSION} RECOVER", accept=(0, 4))
        demand("RECOVER" in shown, f"after the loss of its host the secondary does not know of its recovery:\n{shown}\nbefore:\n{answer}")
    report = plant.loss_report()
    point_a, point_b = recovery_point(report)
    demand(point_a >= acknowledged, f"lost promise: recovered up to {point_a}, acknowledged was {acknowledged}")
    demand(point_b >= point_a, f"B={point_b} is before A={point_a}")
    told = f"A={point_a} B={point_b} acknowledged={acknowledged}, secondary {second}"
    if plant.checkable:
        verdict = check(plant, "SITEB", point_a - plant.first + 1)
        problem = lost_list_problem(report, plant, verdict, point_a, point_b)
        demand(problem == "", problem)
        told += f", {verdict.text()}"
    if is_bank(plant):
        run_audit(plant, "SITEB")
        told += ", audit passed"
    return told


def primary_host_lost(plant):
    """Files as after a loss of the page cache, common storage gone. Nothing is pretended: the session is over and says so; then the secondary
    is recovered, or it is given up and a comparison tells what is true."""
    plant.note("host of SITEA lost")
    plant.explain("DSML102W", "DSMS110W", "DSMM117E", "DSML105E", "DSML106W")
    plant.kill_together(primary_processes(plant))
    acknowledged = int(plant.storage()["acknowledged"])
    os.unlink(os.path.join("/dev/shm", plant.workspace.shared_memory[0]))
    damage = lose_page_cache(plant, "SITEA")
    plant.note(f"  {damage.text()}", fault=False)
    plant.start_dsmd("SITEA").wait_log("DSMM117E", 20)
    demand(state(plant) == "INACTIVE", f"after the loss of common storage the session is {state(plant)}")
    if plant.chance.random() < 0.4:
        return compare_after_loss(plant)
    if plant.chance.random() < 0.5:  # an operator in a hurry: the secondary does not take a new session over what it holds
        plant.dsm("SITEA", f"F DSM,XSTART {SESSION} COMPARE(NO)")
        plant.dsmds["SITEA"].wait_log("DSML105E", 30)
        plant.note("  a new session was refused", fault=False)
    return recover_and_check(plant, acknowledged)


def compare_after_loss(plant):
    """The secondary is given up, not copied, and compared: a difference is named and suspends, equality is told."""
    plant.explain("DSMM138W", "DSMM123E", "DSMM122E", "DSMM125E", "DSMM135E", "DSMM113E", "DSMM114E", "DSMC")
    plant.dsm("SITEB", f"F DSM,XEND {SESSION} IMMEDIATE")
    differences = plant.differences()
    for system in plant.systems:
        plant.start_hercules(system)
    wait_until(lambda: sum(each.log().count("DSMC011I") for each in plant.herculeses.values()) >= len(plant.volumes), 30, "the volumes to be tapped")
    plant.dsm("SITEA", f"F DSM,XSTART {SESSION} COMPARE(YES)")
    told = plant.dsmds["SITEA"].wait_log("DSMM12[1235][IE].*", 60).group(0)
    if differences:
        demand("DSMM121I" not in plant.dsmds["SITEA"].log(), f"the sites differ ({differences[0]}) and are told to be equal: {told}")
    else:
        demand("DSMM121I" in told, f"the sites are equal and the comparison says: {told}")
    for hercules in plant.herculeses.values():
        hercules.quit(60)
    return f"compared: {len(differences)} differences seen, the product says {told}"


def overrun(plant):
    """Held longer than any ring lasts: the guest is paced up to the limit, the session suspended, and the secondary holds that point."""
    whats = ("dsmd of SITEA stopped", "dsmd of SITEB stopped") + (() if plant.direct else ("link held still", "link refused"))
    what = plant.chance.choice(whats)
    plant.note(f"{what} until the ring is full")
    plant.explain("DSMM112W", "DSMM113E", "DSML102W", "DSMM107W", "DSMM116W", "DSMC020W")
    if what.startswith("dsmd"):
        held = plant.dsmds[what.split()[2]]
        held.hold()
    elif what == "link refused":
        plant.proxy.refuse(True)
    else:
        for way in plant.proxy.ways:
            way.held = True
    wait_until(lambda: state(plant) == "SUSPENDED", 180, lambda: f"the full ring to suspend the session\n{plant.tails()}", 0.1)
    plant.gap(500, 2000)
    if what.startswith("dsmd"):
        held.release()
    plant.proxy.refuse(False)
    for way in plant.proxy.ways:
        way.held = False
    last = int(plant.dsmds["SITEA"].wait_log(r"DSMM11[23].* SUSPENDED AT SEQUENCE (\d+)", 30).group(1))
    wait_until(lambda: int(plant.storage()["acknowledged"]) >= last, 60, lambda: f"{last} to be acknowledged\n{plant.tails()}", 0.1)
    plant.dsm("SITEA", f"F DSM,XEND {SESSION}", accept=(0, 4))
    plant.dsmds["SITEB"].wait_log("DSMM132I", 60)
    told = f"suspended at {last}"
    if plant.checkable:
        told += ", " + check(plant, "SITEB", last - plant.first + 1).text()
    for hercules in plant.herculeses.values():
        demand(hercules.quit(60) == 0, f"{hercules.name} ended with {hercules.child.returncode}")
    for site in ("SITEA", "SITEB"):
        demand(plant.dsmds[site].terminate() == 0, f"dsmd of {site} ended with {plant.dsmds[site].child.returncode}")
    return told
