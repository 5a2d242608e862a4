"""Which channel of a recording is a lead of the ECG, and which is certainly none, by its name and its unit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from loaders.io.recording import HIGHEST_RATE, LOWEST_RATE, Lead, Recording
from toolbox.utils import UserError, nearest

# Modified limb lead II is channel 0 of most MIT-BIH records; it stands for limb lead II, which is called by many names.
TRAINED_LEADS = ("MLII", "II", "ML2", "DII", "D2")
# Pairs of electrodes that make the limb leads.
ELECTRODES = {"lara": "i", "rala": "i", "llra": "ii", "rall": "ii", "llla": "iii", "lall": "iii"}
LEAD_NAME = re.compile(
    r"(ml|md|cm|cc|d)?(i|ii|iii)|(ml|md|d)[123]|ml5|mv[1-6]|c[mcs][1-9]|c[1256]|v[1-9]?r?|v[789]|a?v[rlf]|mcl[1-6]|es|as|ai|"
    r"modv[1-6]?|lead[123]|[1235]"  # es, as, ai: EASI's three
)
# Words of names that say "ECG" without saying which lead.
ECG_WORD = re.compile(r"(ecg|ekg|electrocardio\w*|elektrokardio\w*|cardio\w*|holter)\d*[a-z]?")
FILLER = set(
    """
    lead leads limb chest modified derivation derivacion derivazione ableitung channel chan ch pol signal raw mv uv
    filtered filt data value values voltage amplitude ref
    """.split()
)
# Words and beginnings of words of channels that are no ECG.
OTHER_WORDS = set(
    """
    abp art bp ibp nibp cvp pap icp rap lap uap fap ap sap dap map sbp dbp ao aop lvp p1 p2 co2 etco2 fio2 vo2 o2
    spo2 sao2 osat sat hr bpm ihr rr rri ibi nn hrv eeg eog loc roc emg chin leg tib plm gsr eda scr scl eggg egg
    ppg red ir green led nirs bvp ptt pwv gps lat lon alt latitude longitude elevation speed cadence power acc accx
    accy accz ax ay az gx gy gz mx my mz imu imu1 gyrx gyry gyrz nu flow cflow vent tidal leak snore snoring chest
    npress paw vt insp edr mic audio sound phono light lux battery batt bat vbat marker event events trigger trig
    status flag valid label labels target class annotation annotations note rpeak rpeaks peak peaks beat beats
    quality sqi contact leadoff lod hum humidity rssi crc checksum id fs sti stim stimulus pace pacer dc dc1 dc2 aux
    aux1 gnd body position pos stage hypnogram rate sv co ci svr bis tof z0 dzdt icg pcg bcg scg fhr uc toco ctg
    fetal contraction contractions abdo abd tho thor thx rip cannula nasal therm gyro mag heartrate error err gain
    offset steps activity angle pitch roll yaw quaternion force torque weight knee elbow distance kcal calories
    off lo imp rat axis thb altitude counter packet seq dz glucose lactate entropy stress emotion
    baro atmung puls druck blutdruck
    """.split()
)
OTHER_BEGINNINGS = tuple(
    """
    accel gyros magnet resp temp press puls pleth thorac thorax abdom airflow impedan oxim satur breath motion
    acceler beschl blood arterial capno skin galvan electrooc electroenc electromy annot marker batter tibial ventil
    baromet
    """.split()
)
# Of a channel whose name says "ECG", too: derived from one, or about one, but none.
ABOUT_ECG = set(
    """
    hr bpm rate rr rri ibi nn hrv heartrate edr quality sqi contact off leadoff lod label labels class target
    annotation annotations note rpeak rpeaks peak peaks event events marker trigger trig flag status index counter
    count state error err gain crc time timestamp ts battery batt bat valid gsr acc imu gyro
    """.split()
)
ABOUT_ECG_BEGINNINGS = ("accel", "gyros", "magnet", "resp", "temp", "annot", "marker", "batter", "impedan", "motion")
MOTION = set(
    """
    acc accel accelerometer accelerometers acceleration gyro gyroscope mag magnetometer imu motion g gps
    """.split()
)
EEG_ELECTRODE = re.compile(
    r"(e[12]|fp[12z]|af[3478z]|f[1-9z]|f10|fc[1-6z]|c[3456z]|t[3-8]|cp[1-6z]|p[3-8z]|po[3478z]|o[12z]|[am][12])"
)
OTHER_UNITS = set(
    """
    mmhg cmh2o kpa pa hpa bpm beats/min /min 1/min min-1 hz % °c degc c °f degf f k g mg m/s2 m/s^2 m/s² °/s dps
    deg/s rad/s ut µt gauss l/min lpm l/s ml l ohm kohm ω kω s ms sec ppm lux db us µs siemens m km/h deg mm ° cm
    kg n rpm mmol/l mg/dl w bool celsius fahrenheit torr j steps m/s
    """.split()
)


def folded(name: str) -> str:
    """A lead's name without case, punctuation and words that only say that it is one: "ECG Lead II" is "ii"."""
    every = words_of(name)
    words = [word for word in every if word not in FILLER and not re.fullmatch(r"e[ck]g", word)]
    letters = ELECTRODES.get("".join(words), "".join(words))
    if letters.isdigit() and len(every) > 1:  # "Lead 2" is limb lead II, "ECG 2" and "Channel 2" are just the second
        letters = {"1": "i", "2": "ii", "3": "iii"}.get(letters, "") if every[0] == "lead" else ""
    return letters if LEAD_NAME.fullmatch(letters) else re.sub(r"[^a-z0-9]", "", name.lower())


def kind_of(lead: Lead) -> str:
    """The kind of a channel by its name and unit.

    Returns:
        "named" for a lead by its name (II, V5, aVR), "ecg" for an ECG of no named lead, "other" for what is certainly
        none (pressure, respiration, EEG, acceleration, pulse, intervals), "unknown" for the rest.
    """
    words = words_of(lead.name)
    unit = lead.unit.strip().strip("[]()").lower().replace("μ", "µ")
    if unit in OTHER_UNITS and not lead.scale:
        return "other"
    is_named = LEAD_NAME.fullmatch(folded(lead.name)) is not None
    if any(ECG_WORD.fullmatch(word) for word in words):
        if _holds(words, ABOUT_ECG, ABOUT_ECG_BEGINNINGS):
            return "other"
        return "named" if is_named else "ecg"
    if is_named and "lead" in words:  # "chest lead V5"
        return "named"
    if _holds(words, OTHER_WORDS | MOTION, OTHER_BEGINNINGS):
        return "other"
    if is_named:
        return "named"
    return "other" if words and all(EEG_ELECTRODE.fullmatch(word) for word in words) else "unknown"


def _holds(words: list[str], some: set[str], beginnings: tuple[str, ...]) -> bool:
    return bool(set(words) & some) or any(word.startswith(beginnings) for word in words)


def likely_leads(leads: Sequence[Lead]) -> tuple[list[int], list[int]]:
    """The positions of the channels that are leads by name, named ones first, and of those that may be leads.

    Channels without a name that are no voltage may only be leads where none is a voltage.
    """
    kinds = [kind_of(lead) for lead in leads]
    kinds = ["unknown" if kind == "other" and lead.chosen else kind for kind, lead in zip(kinds, leads, strict=True)]
    sure = [k for k, kind in enumerate(kinds) if kind == "named"] + [k for k, kind in enumerate(kinds) if kind == "ecg"]
    maybe = [k for k, kind in enumerate(kinds) if kind == "unknown"]
    voltages = [k for k in maybe if leads[k].scale is not None]
    return sure, voltages or maybe


def position_of(name: str, names: Sequence[str]) -> int | None:
    """The position of the lead called `name`, exactly or else by its folded name; None for no lead."""
    if name in names:
        return list(names).index(name)
    short = [folded(each) for each in names]
    return short.index(folded(name)) if folded(name) in short else None


def check_rate(recording: Recording, position: int) -> None:
    """Raise UserError where a lead's sampling rate is too low, or too high, for an ECG."""
    lead = recording.leads[position]
    if not LOWEST_RATE <= lead.fs <= HIGHEST_RATE:
        raise UserError(
            f"{recording.path}: lead {lead.name} has {lead.fs:g} samples per second; an ECG takes {LOWEST_RATE:g} to "
            f"{HIGHEST_RATE:,.0f}"
        )


def listed(names: Sequence[str], most: int = 16) -> str:
    """The first names, for messages."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def choose_lead(recording: Recording, wanted: str | None, any_lead: bool = False) -> tuple[int, str]:
    """Choose the lead to annotate: the one named `wanted`, else one of TRAINED_LEADS, else the first of an ECG.

    Args:
        recording: whose leads they are.
        wanted: the lead's name; None for none.
        any_lead: whether the network learned other leads than TRAINED_LEADS, too.

    Returns:
        Its position, and a warning where it is none that the network learned ("" for none).

    Raises:
        UserError: no lead has the wanted name, no channel is a lead by name and several may be one, or none is.
    """
    names = [lead.name for lead in recording.leads]
    if wanted is not None:
        position = position_of(wanted, names)
        if position is None:
            hint = nearest(wanted, names) or ";"
            raise UserError(f"{recording.path} has no lead {wanted}{hint} it has: {listed(names)}")
        check_rate(recording, position)
        return position, ""
    sure, maybe = likely_leads(recording.leads)
    at = (position_of(name, names) for name in TRAINED_LEADS)
    position = next((k for k in at if k is not None and k in sure), None)
    if position is not None:
        check_rate(recording, position)
        return position, ""
    if not sure and len(maybe) != 1:
        problem = "several channels may be the ECG" if maybe else "none of its channels is an ECG"
        raise UserError(f"{recording.path}: {problem} by name and unit ({listed(names)}); choose one by --lead NAME")
    position = (sure or maybe)[0]
    check_rate(recording, position)
    if any_lead and (sure or len(names) == 1):
        return position, ""
    remedy = "; --lead takes another" if len(names) > 1 else ""
    among = f" of {listed(names)}" if len(names) > 1 else ""
    lacks = (
        "channel with the name of an ECG lead"
        if any_lead
        else f"lead {TRAINED_LEADS[0]}, which the model was trained on"
    )
    return position, f"no {lacks}; took {names[position]}{among}{remedy}"


def other_leads(recording: Recording, chosen: int, count: int) -> list[int]:
    """The positions of at most `count` leads: the chosen one, then others of the same rate, by name ECG leads only."""
    sure, maybe = likely_leads(recording.leads)
    rest = [k for k in sorted(sure or maybe) if k != chosen and recording.leads[k].fs == recording.leads[chosen].fs]
    return [chosen, *rest][:count]


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: runs of letters and the numbers at their ends."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    spread = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", plain).lower().replace("μ", "µ")
    spread = re.sub(r"\b(lead|channel|e[ck]g)(?=[a-z0-9])(?!\w*gramm?\b)", r"\1 ", spread)
    return re.findall(r"[^\W\d_]+\d*|\d+", spread)
