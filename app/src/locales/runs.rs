//! Sentences of runs and rollouts.

use super::sentences;
use crate::model::{RunEvent, change_of, tag_of};

sentences! {
    run_title(number, service): "Run {number} · {service}" / "실행 {number} · {service}";
    run_number(number): "Run {number}" / "실행 {number}";
    run_queued: "Queued" / "대기 중";
    run_running: "Running" / "실행 중";
    run_passed: "Passed" / "통과";
    run_failed: "Failed" / "실패";
    run_errored: "Could not run" / "실행 불가";
    run_cancelled: "Cancelled" / "취소됨";
    run_timed_out: "Timed out" / "시간 초과";
    run_lost: "Lost" / "유실됨";
    run_superseded: "Superseded" / "새 푸시로 대체됨";
    run_skipped: "Skipped" / "건너뜀";
    run_kept: "Unchanged" / "변경 없음";
    push_came_to: "What the push came to" / "푸시 결과";
    push_came_to_below: "A service runs where something in its folder, or of what it watches, changed since it came to a candidate last." / "마지막 후보 이후 서비스 폴더나 지켜보는 파일이 바뀌었을 때만 실행돼요.";
    together: "One version" / "한 버전";
    together_below: "These services are built together: all of them come to one version, or none does." / "함께 빌드하는 서비스예요. 모두 한 버전이 되거나 아무것도 되지 않아요.";
    together_are(names): "together: {names}" / "함께: {names}";
    not_reached: "Not reached" / "도달하지 않음";
    stages: "Stages" / "단계";
    candidate: "Candidate" / "후보";
    rollout: "Rollout" / "롤아웃";
    start_run: "Run a branch" / "브랜치 실행";
    start_run_below: "The head of the branch is run, whatever changed in it." / "바뀐 것과 상관없이 브랜치의 최신 커밋을 실행해요.";
    start_run_branch: "Branch" / "브랜치";
    start_run_hint: "Empty: the default one." / "비워 두면 기본 브랜치예요.";
    start_run_inputs(branch): "The fields are those of the file at the head of {branch}." / "{branch} 브랜치 최신 커밋의 파일에 적힌 항목이에요.";
    start_run_fields: "Show the fields of this branch" / "이 브랜치의 항목 보기";
    start_run_default(value): "Empty: {value}." / "비워 두면 {value}.";
    start_run_chosen: "Not set" / "설정하지 않음";
    start_run_does: "Run it" / "실행";
    run_again: "Run again" / "다시 실행";
    again_stage: "From the failed stage" / "실패한 단계부터";
    again_stage_says: "A new run goes on at the stage that failed, with the files as this run left them." / "실패한 단계부터 새 실행이 이어져요. 이 실행이 남긴 파일을 그대로 써요.";
    again_steps: "Only what failed" / "실패한 스텝만";
    again_steps_says: "As from the failed stage, but for those of its steps that passed." / "실패한 단계부터 이어 가되 통과한 스텝은 다시 실행하지 않아요.";
    taken_from(number): "taken from run {number}" / "{number}번 실행에서 가져옴";
    goes_on: "Goes on from" / "이어서 실행";
    files_kept: "Its files" / "남긴 파일";
    files_kept_until: "kept until" / "보관 기한:";
    files_not_kept: "Not kept: it can be run again from its start, or where no files are needed." / "보관하지 않아요. 처음부터, 또는 파일이 필요 없는 곳부터 다시 실행할 수 있어요.";
    cancel_run: "Cancel…" / "취소…";
    cancel_run_says: "The steps under way are stopped. The run makes no candidate." / "진행 중인 단계를 멈춰요. 후보는 만들어지지 않아요.";
    cancel_run_does: "Cancel the run" / "실행 취소";
    is_cancelling: "Cancelling…" / "취소하는 중…";
    on_branch(branch): "on {branch}" / "{branch} 브랜치";
    pushed_by(by): "pushed by {by}" / "{by} 님이 푸시,";
    on_tag(tag): "of the tag {tag}" / "태그 {tag},";
    by_base(name): "for {name}," / "{name} 이미지 때문에 실행,";
    by_schedule: "by its schedule," / "예약된 시각에 실행,";
    event: "Begun by" / "시작한 것";
    event_push: "A push" / "푸시";
    event_tag: "A tag" / "태그";
    event_pull_request: "A proposed change" / "제안된 변경";
    event_schedule: "Its schedule" / "예약";
    event_manual: "A person" / "사람";
    event_base: "A base image" / "기반 이미지";
    event_api: "A program" / "프로그램";
    inputs: "Inputs" / "입력";
    triggers: "What makes it run" / "실행되는 때";
    triggers_below: "Every push of a branch that changes something of it does. These do too, as its file says under `on`." / "바뀐 것이 있는 브랜치 푸시 외에, 파일의 `on`에 적힌 때에도 실행돼요.";
    trigger_tags: "Tags" / "태그";
    trigger_schedule(cron, zone): "{cron} ({zone})" / "{cron}({zone}, 예약)";
    trigger_next: "next" / "다음";
    triggers_none: "Nothing else makes it run." / "그 밖에는 실행되지 않아요.";
    asked_by(by): "asked for by {by}" / "{by} 님이 요청,";
    to_the_log: "To the line in the log" / "로그에서 보기";
    sidecar: "sidecar" / "사이드카";
    after_failure: "after the failure" / "실패 후";
    tries(number): "at try {number}" / "{number}번째 시도에서";
    attempt(number): "attempt {number}" / "{number}번째 시도";
    exit(code): "Exit {code}" / "종료 코드 {code}";
    no_log_yet: "No step has begun yet. Its log shows here line by line." / "아직 시작한 스텝이 없어요. 시작하면 로그가 한 줄씩 보여요.";
    no_log: "No step was begun, so there is no log." / "시작한 스텝이 없어서 로그가 없어요.";
    log_of(step): "Log of {step}" / "{step} 로그";
    log_download: "Download" / "내려받기";
    log_download_says: "The whole log as text" / "전체 로그를 텍스트로";
    log_empty: "It wrote nothing." / "남긴 로그가 없어요.";
    find_in_log: "Find in this log" / "이 로그에서 찾기";
    found_nothing(wanted): "No line holds “{wanted}”." / "“{wanted}” 문구가 들어 있는 줄이 없어요.";
    found_first(count): "the first {count}" / "처음 {count}줄";
    log_times: "Times (UTC)" / "시각(UTC)";
    whole_log: "Whole log" / "전체 로그";
    following: "Following · " / "따라가는 중 · ";
    log_complete: "Complete · " / "끝 · ";
    why_it_ran: "Why it ran" / "실행 이유";
    author: "Author" / "작성자";
    commit: "Commit" / "커밋";

    rollout_title(release, service, environment): "v{release} of {service} in {environment}" / "{environment} 환경의 {service} v{release}";
    rollout_queued: "Queued" / "대기 중";
    rollout_running: "Rolling out" / "롤아웃 중";
    rollout_succeeded: "Proven" / "검증됨";
    rollout_failed: "Failed" / "실패";
    rollout_cancelled: "Cancelled" / "취소됨";
    rollout_superseded: "Superseded" / "새 릴리스로 대체됨";
    evidence: "Evidence" / "증거";
    phase_command: "Release command" / "릴리스 명령";
    phase_started: "Started" / "시작";
    phase_healthy: "Healthy" / "정상";
    phase_routed: "Routed" / "연결";
    phase_first: "First request" / "첫 요청";
    phase_drained: "Drained" / "마무리";
    phase_stopped: "Old one gone" / "이전 것 정리";
    plan: "Plan" / "계획";
    last_lines: "The last lines it wrote" / "마지막 로그";
    address: "Address" / "주소";
    still_serves(number): "v{number} serves as before." / "v{number}이 그대로 요청을 처리해요.";
    superseded_says: "A newer release took its place before it was proven." / "검증되기 전에 더 새로운 릴리스로 대체됐어요.";
    since_good_run(number): "Run {number} passed" / "{number}번 실행은 성공했어요";
    since_good_no_commit: "The same commit: it passed then." / "같은 커밋이에요. 그때는 성공했어요.";
    since_good_fails(test): "fails now: {test}" / "새로 실패: {test}";
    cancel_rollout_says: "The new instances are taken away again; what served before goes on serving." / "새 인스턴스를 거둬요. 이전 것이 그대로 요청을 처리해요.";
    cancel_rollout_does: "Cancel the rollout" / "롤아웃 취소";
}

impl super::Lang {
    /// What a run is of: "on main", "of the tag v1".
    pub fn of_ref(self, branch: &str) -> String {
        match (tag_of(branch), change_of(branch)) {
            (Some(tag), _) => self.on_tag(tag),
            (None, Some(number)) => self.on_change(number),
            (None, None) => self.on_branch(branch),
        }
    }

    /// Who began a run: "pushed by Ana", "asked for by Ana", "by its schedule".
    pub fn begun_by(self, event: RunEvent, by: &str) -> String {
        match event {
            RunEvent::Push | RunEvent::Tag | RunEvent::PullRequest => self.pushed_by(by),
            RunEvent::Manual | RunEvent::Api => self.asked_by(by),
            RunEvent::Schedule => self.by_schedule().to_owned(),
            RunEvent::Base => self.by_base(by),
        }
    }

    /// What made a run begin.
    pub const fn begun(self, event: RunEvent) -> &'static str {
        match event {
            RunEvent::Push => self.event_push(),
            RunEvent::Tag => self.event_tag(),
            RunEvent::PullRequest => self.event_pull_request(),
            RunEvent::Schedule => self.event_schedule(),
            RunEvent::Manual => self.event_manual(),
            RunEvent::Api => self.event_api(),
            RunEvent::Base => self.event_base(),
        }
    }

    /// "What is different since the last good run: 2 commits, 1 test that fails now"
    pub fn since_good(self, commits: usize, tests: usize) -> String {
        if self == Self::Ko {
            return format!("마지막 성공 이후 달라진 것: 커밋 {commits}개, 새로 실패한 테스트 {tests}개");
        }
        let commits = if commits == 1 { "1 commit".to_owned() } else { format!("{commits} commits") };
        let tests = if tests == 1 { "1 test that fails now".to_owned() } else { format!("{tests} tests that fail now") };
        format!("What is different since the last good run: {commits}, {tests}")
    }

    /// "212 lines"
    pub fn lines(self, count: u64) -> String {
        match (self, count) {
            (Self::En, 1) => "1 line".to_owned(),
            (Self::En, _) => format!("{count} lines"),
            (Self::Ko, _) => format!("{count}줄"),
        }
    }

    /// "200 earlier lines"
    pub fn earlier_lines(self, count: u64) -> String {
        match self {
            Self::En => format!("{} before", self.lines(count)),
            Self::Ko => format!("이전 {count}줄"),
        }
    }

    /// "200 more lines"
    pub fn later_lines(self, count: u64) -> String {
        match self {
            Self::En => format!("{} after", self.lines(count)),
            Self::Ko => format!("다음 {count}줄"),
        }
    }
}
