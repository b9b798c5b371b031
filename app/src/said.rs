//! Sentences that Berth writes down as things happen: plans, evidence, causes, reasons, subjects of the activity. They are
//! stored in English, for programs and terminals. Each stands here once, in both languages: its function makes the English
//! one, and [`in_korean`] finds the sentence again behind a stored text and says it in Korean.

use std::fmt::Display;

/// Writes a sentence in both languages: `name(a, b): "… {a}" / "… {b}";`. What fills a hole may be a sentence of the list
/// itself, unless the hole is called `line` or `name…`: that is somebody else's text. It must be one in `problem`; in `each…` are
/// several things with commas between, any of which may be one, and in `each_said` the first is one for certain.
macro_rules! said {
    ($($name:ident $(($($arg:ident),+))?: $en:literal / $ko:literal;)*) => {
        $( said!(@ $name $(($($arg),+))? $en); )*
        pub(super) const TABLE: &[(&str, &str)] = &[$(($en, $ko)),*];
    };
    (@ $name:ident $en:literal) => {
        #[doc = $en]
        pub fn $name() -> String { $en.to_owned() }
    };
    (@ $name:ident ($($arg:ident),+) $en:literal) => {
        #[doc = $en]
        pub fn $name($($arg: impl Display),+) -> String { format!($en) }
    };
}

pub mod file;

said! {
    // Plans.
    plan_command: "Run the release command once, from the new image." / "새 이미지로 릴리스 명령을 한 번 실행해요.";
    plan_more(count, old): "Start {count} beside the {old} that serve." / "요청을 처리하는 {old}개 옆에 {count}를 시작해요.";
    plan_more_beside_one(count): "Start {count} beside the one that serves." / "요청을 처리하는 하나 옆에 {count}를 시작해요.";
    plan_fewer(count): "Keep {count}; the edge stops sending requests to the rest." / "{count}를 남겨요. 나머지에는 요청을 보내지 않아요.";
    plan_same: "Change nothing that runs." / "실행 중인 것은 그대로 두어요.";
    plan_beside(count, to, from): "Start {count} of release {to} beside release {from}." / "릴리스 {from} 옆에 릴리스 {to}의 {count}를 시작해요.";
    plan_first(count, to): "Start {count} of release {to}." / "릴리스 {to}의 {count}를 시작해요.";
    plan_healthy(seconds): "Wait until each was healthy for {seconds} s." / "모두 {seconds}초 동안 정상일 때까지 기다려요.";
    plan_route: "Send requests to the new ones, and see a first one answered." / "새 인스턴스로 요청을 보내고 첫 응답을 확인해요.";
    plan_drain_one(seconds): "Let the old instance finish what it has (up to {seconds} s), then remove it." / "이전 인스턴스가 하던 일을 마치면(최대 {seconds}초) 제거해요.";
    plan_drain(old, seconds): "Let the {old} old instances finish what they have (up to {seconds} s), then remove them." / "이전 인스턴스 {old}개가 하던 일을 마치면(최대 {seconds}초) 제거해요.";
    plan_nothing: "Nothing changes: this is what runs." / "바뀌는 것이 없어요. 이미 그대로 실행 중이에요.";
    plan_nothing_set: "Nothing changes: the variables are as they were." / "바뀌는 것이 없어요. 변수가 그대로예요.";
    plan_keep: "Keep the variables for the first deploy." / "첫 배포 때 쓰도록 변수를 보관해요.";
    one_instance: "1 instance" / "인스턴스 1개";
    instances_of(count): "{count} instances" / "인스턴스 {count}개";

    // Evidence.
    command_ended: "The release command ended with code 0." / "릴리스 명령이 코드 0으로 끝났어요.";
    started(count, image): "{count} started from image {image}, as observed on the engine." / "이미지 {image}의 {count}가 시작된 것을 엔진에서 확인했어요.";
    healthy(count, seconds, check): "{count} healthy without a break for {seconds} s ({check})." / "{count}가 {seconds}초 동안 계속 정상이었어요({check}).";
    check_http(path, port): "GET {path} on port {port}" / "포트 {port}에 GET {path}";
    check_port(port): "port {port} takes connections" / "포트 {port}에 연결됨";
    check_command(line): "command {line}" / "명령 {line}";
    check_runs: "it runs" / "실행됨";
    routed(slots): "The edge sends requests to {slots}." / "엣지가 요청을 보내는 곳: {slots}.";
    first_answer(slot, status, who): "web.{slot} answered {status} through the edge; {who} asked." / "엣지를 거친 요청에 web.{slot}에서 {status} 응답이 왔어요(요청: {who}).";
    somebody_outside: "somebody outside" / "외부";
    drained_one: "1 instance finished what it had." / "인스턴스 1개가 하던 일을 마쳤어요.";
    drained(count): "{count} finished what they had." / "{count}가 하던 일을 마쳤어요.";
    one_still_open(open): "{open} was still open when the drain time was over." / "마무리 시간이 끝났을 때 {open}가 열려 있었어요.";
    still_open(open): "{open} were still open when the drain time was over." / "마무리 시간이 끝났을 때 {open}가 열려 있었어요.";
    one_request: "1 request" / "요청 1개";
    requests(count): "{count} requests" / "요청 {count}개";
    one_event_stream: "1 event stream" / "이벤트 스트림 1개";
    event_streams(count): "{count} event streams" / "이벤트 스트림 {count}개";
    one_socket: "1 socket" / "소켓 1개";
    sockets(count): "{count} sockets" / "소켓 {count}개";
    nothing_left: "Nothing is left of what this release replaces." / "이 릴리스가 대신한 것은 모두 정리됐어요.";

    // What a rollout or a run does, or waits for.
    starting(slot): "Starting {slot}." / "{slot} 시작 중이에요.";
    sending_first: "Sending the first request through the edge." / "엣지를 거쳐 첫 요청을 보내는 중이에요.";
    running_command: "Running the release command." / "릴리스 명령을 실행하는 중이에요.";
    so_many_healthy(count, of): "{count} of {of} healthy." / "{of}개 중 {count}개가 정상이에요.";
    watching(seconds): "Healthy; watching them for {seconds} s." / "정상이에요. {seconds}초 동안 지켜보는 중이에요.";
    waiting_edge: "Waiting for the edge to take over the new instances." / "엣지가 새 인스턴스를 넘겨받기를 기다리는 중이에요.";
    letting_finish(open): "Letting {open} open requests of the old instances finish." / "이전 인스턴스에 열린 요청 {open}개가 끝나기를 기다리는 중이에요.";
    taking_away: "Taking the new instances away; the release before serves on." / "새 인스턴스를 거두는 중이에요. 이전 릴리스가 계속 요청을 처리해요.";
    waiting_engine(error): "Waiting for the engine. {error}" / "엔진을 기다리는 중이에요. {error}";
    silent_engine(error, seconds): "{error}; it was silent for {seconds} s. Deploy again when it answers." / "{error} ({seconds}초 동안 응답 없음). 다시 응답하면 배포하세요.";
    engine_silent(name, seconds): "The engine on host {name} did not answer within {seconds} s." / "호스트 {name}의 엔진이 {seconds}초 안에 응답하지 않았어요.";
    waits_rollout: "Waits for the rollout before it, or for a free hand." / "앞선 롤아웃이 끝나거나 자리가 나기를 기다려요.";
    waits_run_of(number, service, branch): "Waits for run {number} of {service}, which is before them on `{branch}`." / "`{branch}` 브랜치에서 앞선 {service} 서비스의 실행 {number}번을 기다려요.";
    waits_run(number, branch): "Waits for run {number}, which is before it on `{branch}`." / "`{branch}` 브랜치의 앞선 실행 {number}번을 기다려요.";
    waits_group(group, number, name_service): "Waits for the group {group}: run {number} of {name_service} is in it." / "{group} 그룹을 기다려요. {name_service} 실행 {number}번이 쓰고 있어요.";
    waiting_disk: "Waiting for room on the disk of Berth: it is full." / "Berth의 디스크가 가득 차서 자리가 나기를 기다리는 중이에요.";
    disk_was_full: "The disk of Berth was full." / "Berth의 디스크가 가득 차 있었어요.";
    store_was_away: "The database took nothing." / "데이터베이스에 쓸 수 없었어요.";
    log_late(why, seconds): "{why} For {seconds} s this log was kept in memory; nothing of it is missing." / "{why} {seconds}초 동안 이 로그를 메모리에 보관했어요. 빠진 것은 없어요.";
    log_gap(why, seconds, count): "{why} For {seconds} s this log was kept in memory, and {count} lines of it were left out." / "{why} {seconds}초 동안 이 로그를 메모리에 보관했고, 그중 {count}줄은 빠졌어요.";
    waited_for_room(seconds, each, all): "Waited {seconds} s for room: of one run {each} steps may be under way at once, of all runs {all}." / "자리를 {seconds}초 기다렸어요. 한 번에 실행 하나에서 단계 {each}개, 모든 실행에서 {all}개까지 진행돼요.";
    run_too_long(span): "The run took longer than the {span} it may take in all." / "실행이 허용된 전체 시간 {span}을(를) 넘겼어요.";
    waits_place: "Waits for a free place: other runs are under way." / "다른 실행이 진행 중이라 자리가 나기를 기다려요.";

    // What an engine says.
    engine_gone(line): "The container engine does not take connections: {line}" / "컨테이너 엔진에 연결할 수 없어요: {line}";
    engine_hung(line, seconds): "The container engine took the call and did not answer within {seconds} s: {line}" / "컨테이너 엔진이 {seconds}초 안에 응답하지 않았어요: {line}";
    engine_refused(line): "The container engine refused: {line}" / "컨테이너 엔진이 거절했어요: {line}";
    engine_full(line): "The host's disk is full: {line}" / "호스트의 디스크가 가득 찼어요: {line}";
    cannot_start(line): "The container could not be started: {line}" / "컨테이너를 시작할 수 없었어요: {line}";
    not_there(name): "{name} is not there (any more)." / "{name}: (이제) 없어요.";
    image_not_found(name): "The image {name} was not found." / "{name} 이미지를 찾을 수 없어요.";
    image_missing(name, hint): "The image {name} was not found. {hint}" / "{name} 이미지를 찾을 수 없어요. {hint}";
    not_pulled(line, hint): "It could not be pulled ({line}). {hint}" / "내려받을 수 없었어요({line}). {hint}";
    images_none: "The engine has no images with a name; build or load one." / "엔진에 이름 있는 이미지가 없어요. 하나를 빌드하거나 불러오세요.";
    images_few(names): "The engine has: {names}." / "엔진에 있는 이미지: {names}.";
    images_many(names, more): "The engine has: {names} and {more} more." / "엔진에 있는 이미지: {names} 외 {more}개.";

    // Why a rollout failed.
    cause_gone: "What it was to deploy is not there any more." / "배포할 것이 이제 없어요.";
    statement_missing(number): "The signed statement of candidate {number} is missing, so nothing vouches for its image and it is not deployed. Run its commit again." / "후보 {number}번의 서명된 진술이 없어 이미지를 보증할 수 없으니 배포하지 않아요. 커밋을 다시 실행하세요.";
    statement_other_key(number): "The statement of candidate {number} was signed with another key than this Berth's, so it is not deployed. Put the root.key back that it was made with, or run its commit again." / "후보 {number}번의 진술이 다른 키로 서명돼 있어 배포하지 않아요. 만들 때의 root.key를 되돌리거나 커밋을 다시 실행하세요.";
    statement_changed(number): "The statement of candidate {number} was changed since it was signed, so it is not deployed. Find out who changed it, then run its commit again." / "후보 {number}번의 진술이 서명된 뒤에 바뀌어 배포하지 않아요. 누가 바꿨는지 확인하고 커밋을 다시 실행하세요.";
    statement_other_image(number): "The statement of candidate {number} is about another image than the one to deploy, so it is not deployed. Run its commit again." / "후보 {number}번의 진술이 배포할 이미지와 다른 이미지에 대한 것이라 배포하지 않아요. 커밋을 다시 실행하세요.";
    candidate_unsigned(number): "Candidate {number} was made before candidates were signed: nothing vouches for its image." / "후보 {number}번은 서명이 생기기 전에 만들어져 이미지를 보증하는 것이 없어요.";
    commits_unread: "The repository does not have the commits of both any more, so what lies between them cannot be told." / "저장소에 두 커밋이 모두 남아 있지 않아 사이의 커밋을 알 수 없어요.";
    candidate_gone(number, at, commit): "The image of candidate {number} was removed on {at}. Run commit {commit} again for a new one." / "후보 {number}번의 이미지는 {at}에 제거됐어요. 커밋 {commit}을(를) 다시 실행하면 새로 생겨요.";
    cause_command(code): "The release command exited with {code}. Nothing was started." / "릴리스 명령이 실패했어요({code}). 아무것도 시작하지 않았어요.";
    cause_uncertain: "Berth stopped while the release command ran, so whether it finished is not known. It is not run again by itself: look at its effect, then deploy again." / "릴리스 명령이 실행되는 동안 Berth가 멈춰서 끝났는지 알 수 없어요. 저절로 다시 실행하지 않으니 결과를 확인한 뒤 다시 배포하세요.";
    cause_wrong_image(slot): "{slot} runs another image than the release names; somebody else works on this engine." / "{slot} 인스턴스가 릴리스와 다른 이미지를 실행해요. 누군가 이 엔진을 함께 쓰고 있어요.";
    cause_no_request: "The new instances were healthy, yet no request came back from them through the edge." / "새 인스턴스는 정상이었지만 엣지를 거친 요청에 응답이 없었어요.";
    cause_no_way: "The new instances were healthy, yet no request can reach them: what is stored of the routes that lead here does not read. Add another route, then deploy again." / "새 인스턴스는 정상이었지만 이곳으로 오는 경로가 저장된 내용을 읽을 수 없어서 요청이 닿지 못해요. 다른 경로를 추가한 뒤 다시 배포하세요.";
    cause_memory(process, mib): "{process} ran out of memory (its limit is {mib} MiB) and was ended by the kernel." / "{process} 프로세스의 메모리가 모자라(한도 {mib} MiB) 커널이 종료했어요.";
    cause_read_only(process, code, path): "{process} exited with {code} because it could not write to {path}. Add `writable: [{path}]` to it in berth.yaml." / "{process} 프로세스가 {path}에 쓸 수 없어서 끝났어요({code}). berth.yaml에 `writable: [{path}]`를 더하세요.";
    cause_exited(process, code, line): "{process} exited with {code}. Its last line: “{line}”" / "{process} 프로세스가 끝났어요({code}). 마지막 줄: “{line}”";
    cause_silent(process, code): "{process} exited with {code} and wrote nothing." / "{process} 프로세스가 아무것도 쓰지 않고 끝났어요({code}).";
    cause_unhealthy(process, seconds, error): "{process} was not healthy within {seconds} s: {error}." / "{process} 프로세스가 {seconds}초 안에 정상이 되지 않았어요: {error}.";
    cause_other_port(process, other, port): "{process} answers on port {other}, expected {port}. Set `port: {other}` for it in berth.yaml, or let it listen on $PORT." / "{process} 프로세스가 포트 {port} 대신 {other}에서 응답해요. berth.yaml에 `port: {other}`로 적거나 $PORT에서 응답하게 하세요.";
    cause_no_port(port, seconds, process): "Nothing listens on port {port} within {seconds} s. Let {process} listen on 0.0.0.0:$PORT, or set its `port` in berth.yaml." / "{seconds}초 안에 포트 {port}에서 응답하는 것이 없었어요. {process} 프로세스가 0.0.0.0:$PORT에서 응답하게 하거나 berth.yaml에 `port`를 적으세요.";
    cause_variable(name, before): "{name} is not set, and release {before} had it." / "{name} 변수가 없어요. 릴리스 {before}에는 있었어요.";
    cause_variables(before, names): "Release {before} had variables that are missing now: {names}." / "릴리스 {before}에 있던 변수가 지금은 없어요: {names}.";
    code(number): "code {number}" / "코드 {number}";
    code_means(number, meaning): "code {number} ({meaning})" / "코드 {number}, {meaning}";
    means_not_executable: "the command is not executable" / "실행할 수 없는 명령";
    means_not_found: "the command was not found in the image" / "이미지에 없는 명령";
    means_aborted: "aborted" / "중단됨";
    means_killed: "killed" / "강제로 종료됨";
    means_fault: "segmentation fault" / "메모리 접근 오류";
    means_terminated: "terminated" / "종료됨";
    did_not_run: "it did not run long enough" / "충분히 오래 실행되지 않았어요";
    no_answer: "its health check gave no answer" / "상태 확인에 응답이 없었어요";
    http_answered(path, status): "GET {path} answered {status}" / "GET {path} 요청에 {status} 응답";
    http_late(path, ms): "GET {path} gave no answer within {ms} ms" / "GET {path} 요청에 {ms} ms 안에 응답 없음";
    http_bad(path): "GET {path} gave no good HTTP answer" / "GET {path} 요청에 올바른 HTTP 응답 없음";
    refused(port): "port {port} refused the connection" / "포트 {port}에서 연결을 거절함";
    port_late(port, ms): "port {port} took no connection within {ms} ms" / "포트 {port}에 {ms} ms 안에 연결되지 않음";
    health_code(code): "the health command exited with code {code}" / "상태 확인 명령이 코드 {code}로 끝남";

    // Reasons of releases and runs.
    reason_candidate(number): "candidate {number}" / "후보 {number}";
    reason_of_run(number, run): "candidate {number} of run {run}" / "실행 {run}의 후보 {number}";
    reason_image(name): "image {name}" / "이미지 {name}";
    reason_back(number): "rollback to release {number}" / "릴리스 {number}(으)로 롤백";
    reason_promoted(what, environment): "{what}, promoted from {environment}" / "{environment} 환경에서 승격한 {what}";
    its_image: "its image" / "이미지";
    reason_scaled(names): "scaled {names}" / "규모 조정: {names}";
    reason_config(number, names): "config {number}: {names}" / "구성 {number}: {names}";
    reason_pushed(by, branch): "{by} pushed to {branch}" / "{by} 님이 {branch} 브랜치에 푸시";
    reason_new_branch(by, branch): "{by} pushed the new branch {branch}" / "{by} 님이 새 브랜치 {branch}를 푸시";
    reason_tag(by, tag): "{by} pushed the tag {tag}" / "{by} 님이 태그 {tag}를 푸시";
    reason_schedule(cron, zone): "its schedule: {cron} ({zone})" / "예약된 시각: {cron}({zone})";
    reason_asked(by, branch): "{by} asked for a run of {branch}" / "{by} 님이 {branch} 브랜치의 실행을 요청";
    superseded(number): "Run {number} took its place: it is of a newer push to the branch." / "브랜치에 새로 푸시된 실행 {number}번으로 대체됐어요.";
    reason_goes_on(by, number, stage): "{by} asked to go on from run {number}, at the stage {stage}" / "{by} 님이 실행 {number}번에서 이어서 실행을 요청, {stage} 단계부터";
    reason_again(by, number): "{by} asked for run {number} again" / "{by} 님이 실행 {number}번을 다시 요청";

    // Mirrors.
    mirror_too_large(mib): "It is larger than the {mib} MiB that are fetched at once." / "한 번에 가져올 수 있는 {mib} MiB보다 커요.";
    mirror_too_slow(name_host, seconds): "{name_host} did not send all of it within {seconds} s." / "{name_host}에서 {seconds}초 안에 모두 보내지 않았어요.";
    mirror_too_many_refs: "It has more branches and tags than are mirrored." / "미러링할 수 있는 것보다 브랜치와 태그가 많아요.";
    mirror_other_host_key(name_host): "{name_host} shows another key than at first sight. If its key was changed on purpose, forget the one that is kept; if not, somebody stands between." / "{name_host}의 키가 처음 본 것과 달라요. 일부러 바꾼 것이면 보관된 키를 잊게 하고, 아니면 누군가 사이에 있는 거예요.";
    mirror_key_refused(name_host): "{name_host} does not let the deploy key in. Add its public half to the repository there, to read." / "{name_host}에서 배포 키를 받아들이지 않아요. 그곳 저장소에 공개 키를 읽기 권한으로 추가하세요.";
    mirror_redirected(name_host): "{name_host} says that it is elsewhere by now. Berth follows no such hint: give the new address." / "{name_host}에서 주소가 바뀌었다고 해요. Berth는 따라가지 않으니 새 주소를 주세요.";
    mirror_not_let_in(name_host): "{name_host} lets nobody in without a good token. Give one that may read the repository." / "{name_host}에 들어가려면 올바른 토큰이 필요해요. 저장소를 읽을 수 있는 토큰을 주세요.";
    mirror_not_there(name_host): "{name_host} has no such repository, or does not show it without a token that may read it." / "{name_host}에 그런 저장소가 없거나, 읽을 수 있는 토큰 없이는 보여 주지 않아요.";
    mirror_no_answer(name_host): "{name_host} does not answer. It is tried again." / "{name_host}에서 응답이 없어요. 다시 시도해요.";
    mirror_git_says(line): "Git says: {line}" / "Git 메시지: {line}";
    mirror_sealed: "Its token or key does not open with the key of this Berth. Give it again." / "토큰이나 키를 이 Berth의 키로 열 수 없어요. 다시 주세요.";
    mirror_name_unknown(name_host): "The name {name_host} is not known. Is it written right?" / "{name_host} 이름을 찾을 수 없어요. 맞게 적었나요?";
    mirror_private(name_host): "{name_host} is in a private network, where Berth is not let go. An administrator may allow it: `--mirror-private`." / "{name_host}은(는) 사설 네트워크라 Berth가 갈 수 없어요. 관리자가 `--mirror-private`로 허용할 수 있어요.";
    status_refused(name_host, status): "{name_host} answered {status}. Give a token that may set the status of commits." / "{name_host}에서 {status} 응답이 왔어요. 커밋 상태를 쓸 수 있는 토큰을 주세요.";
    status_answered(name_host, status): "{name_host} answered {status}." / "{name_host}에서 {status} 응답이 왔어요.";
    status_unsent(name_host): "{name_host} does not answer." / "{name_host}에서 응답이 없어요.";
    status_no_token: "There is no token to tell the forge with. Give one that may set the status of commits." / "포지에 알릴 토큰이 없어요. 커밋 상태를 쓸 수 있는 토큰을 주세요.";

    // Proposed changes.
    reason_change(number): "proposed change {number}" / "제안된 변경 {number}번";
    reason_change_untrusted(number): "proposed change {number}, by somebody who may not push" / "푸시 권한이 없는 사람이 제안한 변경 {number}번";
    waits_approval(commit): "Waits for approval: commit {commit} is of nobody who may push. Read it first; another commit needs another approval." / "승인을 기다려요. 커밋 {commit}은(는) 푸시 권한이 없는 사람의 것이니 먼저 읽어 보세요. 새 커밋은 다시 승인해야 해요.";
    change_no_stages: "A proposed change makes no image, and the service has no stage to run for it." / "제안된 변경은 이미지를 만들지 않고, 서비스에 실행할 단계가 없어요.";
    detail_approved(commit): "commit {commit}" / "커밋 {commit}";

    // Why a stage or a step is not wanted in a run.
    only_on(names): "only on {names}" / "{names} 브랜치에서만";
    not_on(names): "not on {names}" / "{names} 브랜치는 제외";
    only_for(names): "only for {names}" / "{names} 이벤트에서만";
    not_for(names): "not for {names}" / "{names} 이벤트는 제외";

    // What a push comes to for a service.
    plan_because(each_stage, why): "{each_stage}, because {why}" / "실행: {each_stage}. 이유: {why}";
    why_draft: "berth.yaml is changed by it" / "berth.yaml이 바뀌어요";
    draft_where_touched(each_stage): "{each_stage}, where something it is made of changed" / "서비스를 이루는 파일이 바뀌면 실행: {each_stage}";
    draft_describes_others(name): "It would fail: berth.yaml does not describe {name}." / "실패해요. berth.yaml에 {name} 서비스가 없어요.";
    why_first: "there is no candidate of it yet" / "아직 후보가 없어요";
    why_missing(number): "the commit of candidate {number} is not in the repository" / "후보 {number}번의 커밋이 저장소에 없어요";
    why_rewritten(number): "history was rewritten since candidate {number}" / "후보 {number}번 이후 기록을 다시 썼어요";
    why_unread(number): "what changed since candidate {number} cannot be read" / "후보 {number}번 이후 바뀐 것을 읽을 수 없어요";
    why_file(number): "berth.yaml changed since candidate {number}" / "후보 {number}번 이후 berth.yaml이 바뀌었어요";
    why_changed(name, number): "{name} changed since candidate {number}" / "후보 {number}번 이후 {name}(이)가 바뀌었어요";
    why_together(name): "{name} is touched, and they come to one version" / "{name} 서비스가 바뀌었고 모두 한 버전으로 만들어요";
    unchanged_since(number): "unchanged since candidate {number}" / "후보 {number}번 이후 바뀐 것이 없어요";
    kept(number): "Nothing of the service changed since candidate {number}, so it is kept and nothing is run." / "후보 {number}번 이후 서비스에서 바뀐 것이 없어서 그대로 두고 아무것도 실행하지 않아요.";
    not_described(name): "berth.yaml does not describe {name} at this commit, so nothing is run." / "이 커밋의 berth.yaml에 {name} 서비스가 없어서 아무것도 실행하지 않아요.";
    several_undescribed: "Several services are built from this repository, and there is no berth.yaml that says which folder each lives in. Add one." / "이 저장소에서 여러 서비스를 빌드하는데 각 폴더를 알려 주는 berth.yaml이 없어요. 추가하세요.";

    // Why a run failed.
    in_step(stage, step, failure): "Stage {stage}, step {step}: {failure}" / "{stage} 단계, {step} 스텝: {failure}";
    in_sidecar(stage, sidecar, failure): "Stage {stage}, sidecar {sidecar}: {failure}" / "{stage} 단계, {sidecar} 사이드카: {failure}";
    sidecar_ended(code): "It ended with exit code {code} before it was ready." / "준비되기 전에 종료 코드 {code}(으)로 끝났어요.";
    sidecar_ended_line(code, line): "It ended with exit code {code} before it was ready: {line}" / "준비되기 전에 종료 코드 {code}(으)로 끝났어요: {line}";
    sidecar_left(code): "It ended with exit code {code} while the steps ran." / "스텝이 실행되는 동안 종료 코드 {code}(으)로 끝났어요.";
    sidecar_left_line(code, line): "It ended with exit code {code} while the steps ran: {line}" / "스텝이 실행되는 동안 종료 코드 {code}(으)로 끝났어요: {line}";
    sidecar_not_startable(image, line): "The image {image} could not be started: {line}" / "{image} 이미지를 시작할 수 없었어요: {line}";
    not_started: "It had not started yet." / "아직 시작되지 않았어요.";
    not_ready(seconds, why): "It was not ready within {seconds} s. {why}" / "{seconds}초 안에 준비되지 않았어요. {why}";
    not_ready_line(seconds, why, line): "It was not ready within {seconds} s. {why} Its last line: {line}" / "{seconds}초 안에 준비되지 않았어요. {why} 마지막 줄: {line}";
    trying_again(number, of, failure): "Try {number} of {of}: {failure}" / "{of}번 중 {number}번째 시도: {failure}";
    pulled_late(name, tries): "The image {name} could be had at try {tries} only." / "{name} 이미지를 {tries}번째 시도에서야 받을 수 있었어요.";
    cache_empty(name): "Cache {name}: nothing is kept yet, it begins empty." / "{name} 캐시: 보관한 것이 없어 비어 있는 채로 시작해요.";
    cache_of(name, number): "Cache {name}: goes on with what run {number} left." / "{name} 캐시: {number}번 실행이 남긴 것을 이어서 써요.";
    cache_of_others(name, number): "Cache {name}: nothing is kept for these files, it goes on with what run {number} left for others." / "{name} 캐시: 이 파일에 맞는 것이 없어 {number}번 실행이 다른 파일로 남긴 것을 이어서 써요.";
    cache_no_files(name, name_files): "Cache {name}: no file of the commit fits {name_files}, so that it goes by the folder alone." / "{name} 캐시: 커밋에 {name_files}에 맞는 파일이 없어 폴더만 보고 찾아요.";
    no_caches(why): "No cache is used: {why}" / "캐시를 쓰지 않아요: {why}";
    no_caches_untrusted: "No cache is used: a proposed change of somebody who may not push leaves nothing for others." / "캐시를 쓰지 않아요. 푸시 권한이 없는 사람이 제안한 변경은 다른 실행에 아무것도 남기지 않아요.";
    caches_cut_short: "Its caches are given up: it was ended from outside, and they may be half written." / "밖에서 종료되어 캐시가 덜 쓰였을 수 있어 버려요.";
    secret_missing(name, line): "It needs the secret {name}, which the service does not have. `{line}` sets it." / "이 서비스에 없는 {name} 시크릿이 필요해요. `{line}` 명령으로 설정하세요.";
    secret_untrusted(name): "It asks for the secret {name}, and a proposed change of somebody who may not push gets none. Leave the step out of runs for `pull_request`." / "{name} 시크릿이 필요하지만, 푸시 권한이 없는 사람이 제안한 변경에는 시크릿을 주지 않아요. `pull_request` 실행에서는 이 스텝을 빼세요.";
    secret_shut(name): "The secret {name} does not open with the key of this Berth. Set it again." / "{name} 시크릿을 이 Berth의 키로 열 수 없어요. 다시 설정하세요.";
    not_in_step(stage, failure): "Stage {stage}: {failure}" / "{stage} 단계: {failure}";
    in_image(failure): "Stage image: {failure}" / "image 단계: {failure}";
    exited(code): "It ended with exit code {code}." / "종료 코드 {code}(으)로 끝났어요.";
    ended(command, code): "`{command}` ended with exit code {code}." / "`{command}` 명령이 종료 코드 {code}(으)로 끝났어요.";
    ended_line(command, code, line): "`{command}` ended with exit code {code}: {line}" / "`{command}` 명령이 종료 코드 {code}(으)로 끝났어요: {line}";
    ended_missing(command, code, image): "`{command}` ended with exit code {code} (a command that {image} does not have)." / "`{command}` 명령이 종료 코드 {code}(으)로 끝났어요({image} 이미지에 없는 명령).";
    ended_missing_line(command, code, image, line): "`{command}` ended with exit code {code} (a command that {image} does not have): {line}" / "`{command}` 명령이 종료 코드 {code}(으)로 끝났어요({image} 이미지에 없는 명령): {line}";
    the_script: "the script" / "스크립트";
    step_memory(mib): "It used more than {mib} MiB of memory and was ended by the kernel." / "메모리를 {mib} MiB 넘게 써서 커널이 종료했어요.";
    too_long(seconds): "It took longer than {seconds} s and was stopped." / "{seconds}초가 넘게 걸려서 멈췄어요.";
    sibling_did_not_pass(service): "{service} did not pass, and the services that are built together come to one version or to none." / "{service} 서비스가 통과하지 못했어요. 함께 빌드하는 서비스는 모두 한 버전이 되거나 아무것도 되지 않아요.";
    one_of_them_superseded: "A newer push took the place of a service that was to come to the same version." / "같은 버전으로 만들 서비스 하나를 새 푸시가 대신했어요.";
    one_of_them_deleted: "A service that was to come to the same version was deleted." / "같은 버전으로 만들 서비스 하나가 삭제됐어요.";
    was_cancelled: "It was cancelled." / "취소됐어요.";
    did_not_pass: "it did not pass." / "통과하지 못했어요.";
    not_startable(image, line): "The image {image} could not be started with `sh`: {line}" / "{image} 이미지를 `sh`로 시작할 수 없었어요: {line}";
    not_built(path, failure): "`{path}` could not be built: {failure}" / "`{path}`(을)를 빌드할 수 없었어요: {failure}";
    dockerfile_no_file: "There is no file of that name. A link is not followed: put the file itself there." / "그 이름의 파일이 없어요. 링크는 따라가지 않으니 파일을 직접 두세요.";
    dockerfile_escapes: "Its directive `escape` is not read here. Take it out and continue lines with a backslash." / "`escape` 지시자는 쓸 수 없어요. 빼고 역슬래시로 줄을 이으세요.";
    base_taken(name): "The engine has an image `{name}` that is not of this Berth's catalogue. Remove it there, or give the base image another name." / "엔진에 이 Berth의 목록에 없는 `{name}` 이미지가 이미 있어요. 거기서 제거하거나 기반 이미지 이름을 바꾸세요.";
    base_no_files: "Its root file system is not there any more. Send it again with a new version." / "루트 파일 시스템이 이제 없어요. 새 버전으로 다시 보내세요.";
    base_no_head(branch): "Nothing was pushed to `{branch}` yet, so there is nothing to run." / "`{branch}` 브랜치에 아직 푸시한 것이 없어 실행할 것이 없어요.";
    base_abandoned: "The Berth that was to build it did not within a day. Ask for a new version." / "빌드를 맡은 Berth가 하루 동안 빌드하지 않았어요. 새 버전을 요청하세요.";
    reason_base(name, number): "{name} has version {number}" / "{name} 버전 {number}이 나옴";
    rootfs_unread(line): "This is no tar archive, packed with gzip or not, or it was cut off on its way: {line}." / "tar나 tar.gz 아카이브가 아니거나 오는 중에 잘렸어요: {line}.";
    rootfs_empty: "This archive holds nothing. Send a root file system: `tar -C FOLDER -cz .` makes one of a folder." / "아카이브가 비어 있어요. 루트 파일 시스템을 보내세요. `tar -C 폴더 -cz .`로 만들 수 있어요.";
    rootfs_large(most, entries): "This archive holds more than {most} MiB or {entries} files. Leave out what services do not need." / "아카이브에 {most} MiB나 파일 {entries}개보다 많이 있어요. 서비스에 필요 없는 것을 빼세요.";
    rootfs_path(name): "`{name}` leads out of the root file system. Make the archive within the folder: `tar -C FOLDER -cz .`" / "`{name}` 경로가 루트 파일 시스템 밖으로 나가요. 폴더 안에서 `tar -C 폴더 -cz .`로 아카이브를 만드세요.";
    rootfs_device(name): "`{name}` is a device. Containers get their own: leave it out with `tar --exclude=./dev/*`." / "`{name}`: 장치예요. 컨테이너에는 따로 생기니 `tar --exclude=./dev/*`로 빼세요.";
    rootfs_kind(name): "`{name}` is neither a file nor a folder nor a link of a file system. Leave it out." / "`{name}`: 파일 시스템의 파일도 폴더도 링크도 아니에요. 빼세요.";
    artifact_missing(name): "The stages left nothing at `{name}` in the workspace. Look at what the steps make, and name its path." / "단계가 작업 공간의 `{name}` 위치에 남긴 것이 없어요. 스텝이 만드는 파일을 확인하고 그 경로를 적으세요.";
    artifact_no_file(name): "`{name}` in the workspace is no file. Name the file itself: links and folders are not baked." / "작업 공간의 `{name}` 경로가 파일이 아니에요. 링크나 폴더 말고 파일을 적으세요.";
    artifact_large(name, most): "`{name}` in the workspace is larger than the {most} MiB a recipe takes. Build the image from a Dockerfile." / "작업 공간의 `{name}` 파일이 레시피 한도인 {most} MiB보다 커요. Dockerfile로 빌드하세요.";
    dockerfile_syntax: "Its directive `syntax` has another program read it, which is not done here. Take the line out." / "`syntax` 지시자는 다른 프로그램이 파일을 읽게 하는 것이라 쓸 수 없어요. 그 줄을 빼세요.";
    dockerfile_unclear(line): "Its line `{line}` is read in more than one way, so what it starts from cannot be told. Write it plainly." / "`{line}` 줄은 여러 가지로 읽힐 수 있어서 무엇에서 시작하는지 알 수 없어요. 단순하게 적으세요.";
    dockerfile_buildkit(name): "It uses `{name}`, which BuildKit alone knows: say `builder: buildkit` under `image:` in berth.yaml." / "BuildKit만 아는 `{name}`(을)를 써요. berth.yaml의 `image:` 아래에 `builder: buildkit`을 적으세요.";
    dockerfile_flag(name): "`RUN {name}` is not let in: commands of a build get neither the host's network nor more rights. Take it out." / "`RUN {name}`: 빌드 명령에는 호스트 네트워크도 추가 권한도 주지 않아서 쓸 수 없어요. 빼세요.";
    dockerfile_mount(name): "`RUN --mount=type={name}` is not let in: a build is given neither secrets nor keys. Use `cache`, `bind` or `tmpfs`." / "`RUN --mount=type={name}`: 빌드에는 시크릿도 키도 주지 않아서 쓸 수 없어요. `cache`, `bind`, `tmpfs`를 쓰세요.";
    dockerfile_platform(name): "`FROM --platform={name}` may be fetched past the check of what is here. Take the flag out." / "`FROM --platform={name}`: 여기 있는 이미지를 확인하지 않고 가져올 수 있어서 쓸 수 없어요. 빼세요.";
    dockerfile_added(name): "`ADD {name}` would be fetched by the engine itself, past the wall around builds. Fetch it in a `RUN`, or put the file into the repository." / "`ADD {name}`: 엔진이 빌드 차단벽을 거치지 않고 직접 가져와서 쓸 수 없어요. `RUN`에서 받거나 파일을 저장소에 두세요.";
    dockerfile_text(name): "A text below `{name}` (`<<`) is not taken here, only below `RUN`. Put it into a file of the repository." / "`{name}` 아래의 글(`<<`)은 쓸 수 없고 `RUN` 아래에만 쓸 수 있어요. 저장소의 파일로 두세요.";
    dockerfile_program(name): "The text below a `RUN` is for `{name}`, and only shells and Python take one here. Put it into a file of the repository." / "`RUN` 아래의 글이 `{name}`용인데 여기서는 셸과 Python만 쓸 수 있어요. 저장소의 파일로 두세요.";
    dockerfile_argument(name): "The build argument `{name}` steers BuildKit itself. Take it out of `args`." / "빌드 인수 `{name}`은(는) BuildKit 자체를 조종해요. `args`에서 빼세요.";
    buildkit_off: "It asks for `builder: buildkit`, and this Berth builds with the classic builder alone. Take the line out of berth.yaml, or have an administrator allow it with `--buildkit`." / "`builder: buildkit`을 요청했지만 이 Berth는 클래식 빌더로만 빌드해요. berth.yaml에서 그 줄을 빼거나 관리자에게 `--buildkit`으로 허용해 달라고 하세요.";
    buildkit_builds: "BuildKit builds it: its commands have no limit of memory and processor, and are on the engine's default network." / "BuildKit으로 빌드해요. 명령에 메모리와 프로세서 한도가 없고 엔진의 기본 네트워크에 있어요.";
    buildkit_no_wall(line): "They can reach this host's own addresses: {line}." / "이 호스트의 주소에 닿을 수 있어요: {line}.";
    context_path(name): "`{name}` leads out of the build's files. Give it a path within them." / "`{name}` 경로가 빌드 파일 밖으로 나가요. 안쪽 경로로 바꾸세요.";
    context_link(name): "`{name}` is a link that leads out of the build's files. Point it at something within them, or take it away." / "`{name}` 링크가 빌드 파일 밖을 가리켜요. 안쪽을 가리키게 하거나 없애세요.";
    context_kind(name): "`{name}` is neither a file nor a folder nor a link. Take it away." / "`{name}`: 파일도 폴더도 링크도 아니에요. 없애세요.";
    context_count(most): "The build's files are more than {most}. Put the service into a folder of its own and name it as `path` in berth.yaml." / "빌드 파일이 {most}개를 넘어요. 서비스를 따로 폴더에 두고 berth.yaml의 `path`에 적으세요.";
    context_size(most): "The build's files are larger than {most} MiB. Put the service into a folder of its own and name it as `path` in berth.yaml." / "빌드 파일이 {most} MiB를 넘어요. 서비스를 따로 폴더에 두고 berth.yaml의 `path`에 적으세요.";
    needed_by(path, failure): "`{path}`: {failure}" / "`{path}` 파일: {failure}";
    files_unread(line): "The files of the commit could not be read: {line}" / "커밋의 파일을 읽을 수 없었어요: {line}";
    files_gone(number): "The files of run {number} are not on the engine any more, so nothing can go on from it. Run the commit again from the start." / "실행 {number}번의 파일이 이제 엔진에 없어서 이어서 실행할 수 없어요. 커밋을 처음부터 다시 실행하세요.";
    goes_on_with(number, names): "Goes on from run {number} with the files as it left them. Taken over, and not run again: {names}." / "실행 {number}번이 남긴 파일로 이어서 실행해요. 다시 실행하지 않고 가져온 것: {names}.";
    no_host(failure): "No host could be taken for it: {failure}" / "실행할 호스트를 정할 수 없었어요: {failure}";
    host_silent: "the host that has its files does not answer" / "작업 파일이 있는 호스트가 응답하지 않아요";
    no_builder: "none of the hosts for runs answers. Ask an administrator" / "실행용 호스트가 하나도 응답하지 않아요. 관리자에게 문의하세요";
    not_filled(failure): "The workspace could not be filled: {failure}" / "작업 공간을 채울 수 없었어요: {failure}";
    unreadable_run(column): "What is stored of this run does not read ({column}), so it was ended. Run the commit again." / "저장된 실행을 읽을 수 없어서({column}) 끝냈어요. 커밋을 다시 실행하세요.";
    unreadable_mirror(column): "What is stored of this mirror does not read ({column}), so it was left alone. It is tried again within the hour." / "저장된 미러를 읽을 수 없어서({column}) 그대로 두었어요. 한 시간 안에 다시 시도해요.";
    unreadable_status(column): "What is stored of this status does not read ({column}), so the forge was not told. The next run tells it." / "저장된 상태를 읽을 수 없어서({column}) 포지에 알리지 못했어요. 다음 실행이 알려요.";
    unreadable_rollout(column): "What is stored of this rollout does not read ({column}), so it was ended. Deploy again." / "저장된 롤아웃을 읽을 수 없어서({column}) 끝냈어요. 다시 배포하세요.";
    pipeline_unread: "The run's pipeline does not read. Push again, or run the commit again." / "실행의 파이프라인을 읽을 수 없어요. 다시 푸시하거나 커밋을 다시 실행하세요.";
    packages_listed(count): "Its bill of materials lists {count} packages." / "구성 명세에 패키지 {count}개가 있어요.";
    packages_unknown: "It has no list of packages that can be read, so its bill of materials says that they are not known." / "읽을 수 있는 패키지 목록이 없어서 구성 명세에 알 수 없다고 적었어요.";
    interrupted: "Berth or its engine was interrupted in the middle of a stage, too often to try again." / "단계 중간에 Berth나 엔진이 여러 번 멈춰서 다시 시도하지 않았어요.";

    // What steps left.
    glob_outside(glob): "`{glob}` leads out of the service's folder. Name a path within it." / "`{glob}` 경로가 서비스 폴더를 벗어나요. 폴더 안의 경로를 적으세요.";
    glob_bad(glob, line): "`{glob}` is no pattern of paths: {line}." / "`{glob}` 경로 패턴이 올바르지 않아요: {line}.";
    workspace_unread(line): "The files of the workspace could not be read: {line}" / "작업 공간의 파일을 읽을 수 없었어요: {line}";
    workspace_late(seconds): "The files of the workspace could not be read within {seconds} s." / "작업 공간의 파일을 {seconds}초 안에 읽지 못했어요.";
    workspace_large(path, mib, entries): "`{path}` holds more than {mib} MiB or {entries} files: what comes after that was not looked at. Name a folder further in." / "`{path}` 폴더에 {mib} MiB나 파일 {entries}개보다 많이 있어서 그 뒤는 보지 않았어요. 더 안쪽 폴더를 적으세요.";
    path_outside(path): "the archive names `{path}`, which leads out of it" / "아카이브의 `{path}` 경로가 밖을 가리켜요";
    file_no_file(path): "`{path}` is a link or no file, and was left out." / "`{path}`: 링크이거나 파일이 아니어서 뺐어요.";
    file_large(path, mib): "`{path}` is larger than {mib} MiB, and was left out." / "`{path}`: {mib} MiB보다 커서 뺐어요.";
    files_many(path, count, mib): "There are more than {count} files or {mib} MiB: from `{path}` on they were left out." / "파일이 {count}개나 {mib} MiB보다 많아서 `{path}`부터 뺐어요.";
    files_more(count): "{count} more were left out." / "{count}개를 더 뺐어요.";
    files_none(globs): "No file fits {globs}: nothing is kept." / "{globs}에 맞는 파일이 없어서 보관한 것이 없어요.";
    files_kept(count, kib): "Files kept with the run: {count}, {kib} KiB." / "실행과 함께 보관한 파일: {count}개, {kib} KiB.";
    files_not_kept(line): "No file is kept: {line}." / "파일을 보관하지 못했어요: {line}.";
    reports_none(glob): "No test report fits `{glob}`: Berth does not know which tests ran." / "`{glob}`에 맞는 테스트 보고서가 없어서 어떤 테스트를 실행했는지 알 수 없어요.";
    report_trouble(path, trouble): "Report `{path}` {trouble}" / "`{path}` 보고서: {trouble}";
    tests_counted(passed, failed, skipped): "Tests: {passed} passed, {failed} failed, {skipped} left out." / "테스트: 통과 {passed}개, 실패 {failed}개, 제외 {skipped}개.";
    tests_unnamed: "No step names its test reports with `junit`, so Berth does not know whether a test ran." / "`junit`으로 테스트 보고서를 적은 스텝이 없어서 테스트를 실행했는지 알 수 없어요.";
    tests_none: "The steps of this run executed no test." / "이 실행의 스텝은 테스트를 하나도 실행하지 않았어요.";

    // Whether a team really integrates continuously.
    ci_no_push(days): "Nobody pushed in the last {days} days." / "지난 {days}일 동안 아무도 푸시하지 않았어요.";
    ci_no_run(days): "Nothing of the default branch ran to its end in the last {days} days." / "지난 {days}일 동안 기본 브랜치에서 끝까지 실행된 것이 없어요.";
    ci_integrates(percent, count, of, branch): "{percent}% of the days on which somebody pushed ({count} of {of}) reached {branch}." / "누군가 푸시한 날의 {percent}%({of}일 중 {count}일)가 {branch} 브랜치에 닿았어요.";
    ci_branch(branch, days, main): "The branch {branch} is {days} days old and not merged into {main}." / "{branch} 브랜치가 {days}일 동안 {main} 브랜치에 합쳐지지 않았어요.";
    ci_day_apart(day, branch): "On {day} somebody pushed, and not to {branch}." / "{day}에 푸시가 있었지만 {branch} 브랜치에는 없었어요.";
    ci_last_push(branch, day): "The last push to {branch} was on {day}." / "{branch} 브랜치의 마지막 푸시는 {day}이에요.";
    ci_validates(count, of): "{count} of {of} runs that let a change through executed tests." / "변경을 통과시킨 실행 {of}번 중 {count}번이 테스트를 실행했어요.";
    ci_run_skipped(number): "Run {number} was left out because its commit asked for it." / "실행 {number}번은 커밋이 요청해서 건너뛰었어요.";
    ci_run_unknown(number): "Run {number} carried out steps, and no report says which tests." / "실행 {number}번은 스텝을 실행했지만 어떤 테스트인지 보고서가 없어요.";
    ci_run_untested(number): "Run {number} made an image and tested nothing." / "실행 {number}번은 테스트 없이 이미지를 만들었어요.";
    ci_run_tested(number, count): "Run {number} executed {count} tests." / "실행 {number}번은 테스트 {count}개를 실행했어요.";
    ci_red_stopped(count, through): "Red runs: {count}; candidates they made: {through}." / "실패한 실행 {count}번이 만든 후보: {through}개.";
    ci_fixes(count, minutes, onto): "Red {count} times; half of them were mended within {minutes} min, and {onto} pushes onto red mended nothing." / "{count}번 실패했고 절반은 {minutes}분 안에 고쳤어요. 실패 중에 고치지 않은 푸시는 {onto}번이에요.";
    ci_never_red(days): "It was not red in the last {days} days." / "지난 {days}일 동안 실패한 적이 없어요.";
    ci_red_now(minutes): "It has been red for {minutes} min." / "{minutes}분째 실패한 상태예요.";
    ci_is_red(number, minutes): "Run {number} made it red {minutes} min ago, and nothing has mended it." / "실행 {number}번이 {minutes}분 전에 실패했고 아직 고치지 않았어요.";
    ci_onto_red(number, by): "Run {number} was pushed while run {by} was red, and did not mend it." / "실행 {number}번은 실행 {by}번이 실패한 동안 푸시됐고 고치지 않았어요.";
    ci_mended(by, number, minutes): "Run {by} made it red; what run {number} brought was pushed {minutes} min later and mended it." / "실행 {by}번이 실패했고 {minutes}분 뒤에 푸시된 실행 {number}번이 고쳤어요.";
    dora_frequency(days): "Proven deployments of another image to the last environment in the last {days} days, by week; going back does not count." / "지난 {days}일 동안 마지막 환경에 검증된 새 이미지 배포 수를 주 단위로 센 값이에요. 롤백은 세지 않아요.";
    dora_lead: "Half of the changes needed no longer from the push that brought them until they were proven in the last environment." / "변경의 절반은 푸시부터 마지막 환경에서 검증될 때까지 이보다 오래 걸리지 않았어요.";
    dora_failed: "The share of deployments to the last environment that were not proven, or that the next deployment took back." / "마지막 환경의 배포 중 검증되지 않았거나 다음 배포가 되돌린 비율이에요.";
    dora_recovery: "Half of the failed deployments needed no longer from their end until the next proven one." / "실패한 배포의 절반은 끝난 뒤 다음 검증된 배포까지 이보다 오래 걸리지 않았어요.";
    dora_rework: "The share of deployments nobody had planned: those that go back, and those right after one that failed." / "계획에 없던 배포의 비율이에요. 롤백과 실패 직후의 배포를 세요.";

    // Subjects and details of the activity.
    pushes_branches: "A newer push takes the place of the runs that wait, on every branch but the default one." / "기본 브랜치를 뺀 모든 브랜치에서 새 푸시가 대기 중인 실행을 대체해요.";
    pushes_branches_running: "A newer push takes the place of the runs that wait or are under way, on every branch but the default one." / "기본 브랜치를 뺀 모든 브랜치에서 새 푸시가 대기 중이거나 진행 중인 실행을 대체해요.";
    pushes_all: "A newer push takes the place of the runs that wait, on every branch." / "모든 브랜치에서 새 푸시가 대기 중인 실행을 대체해요.";
    caches_cleared(count): "{count} caches were given up." / "캐시 {count}개를 비웠어요.";
    pushes_all_running: "A newer push takes the place of the runs that wait or are under way, on every branch." / "모든 브랜치에서 새 푸시가 대기 중이거나 진행 중인 실행을 대체해요.";
    subject_run(number, service): "run {number} of {service}" / "{service} 실행 {number}";
    subject_release(number, service, environment): "release {number} of {service} in {environment}" / "{environment} 환경 {service} 릴리스 {number}";
    subject_candidate(number, service): "candidate {number} of {service}" / "{service} 후보 {number}";
    subject_service(name): "service {name}" / "{name} 서비스";
    subject_repository(name): "repository {name}" / "{name} 저장소";
    subject_team(name): "team {name}" / "{name} 팀";
    subject_token(name): "token {name}" / "{name} 토큰";
    subject_new_token(name, name_beginning): "token {name} ({name_beginning}…)" / "{name} 토큰({name_beginning}…)";
    subject_branch(branch, repository): "branch {branch} of {repository}" / "{repository} 저장소의 {branch} 브랜치";
    subject_reference(reference, repository): "refs/{reference} of {repository}" / "{repository} 저장소의 refs/{reference}";
    subject_test(name, service): "test {name} of {service}" / "{service}의 {name} 테스트";
    subject_base(name): "base image {name}" / "기반 이미지 {name}";
    subject_base_version(number, name): "version {number} of base image {name}" / "기반 이미지 {name} 버전 {number}";
    subject_environment(name): "environment {name}" / "{name} 환경";
    detail_in(names): "In {names}." / "환경: {names}.";
    detail_as(role): "As {role}." / "역할: {role}.";
    detail_joined(role): "As {role}, by invitation." / "초대로 참여, 역할: {role}.";
    detail_for(names): "For {names}." / "범위: {names}.";
    detail_until(day): "Until {day}." / "{day}까지.";
    detail_to(environment): "To {environment}." / "환경: {environment}.";
    detail_leads(address, environment): "{address} leads to {environment}." / "{address} → {environment}(으)로 연결돼요.";
    detail_leads_nowhere(address): "{address} leads nowhere now." / "{address}: 이제 연결되지 않아요.";
    detail_moved(name_from, name_to): "From {name_from} to {name_to}: it is built from there now." / "{name_from}에서 {name_to}(으)로 옮겼어요. 이제 거기에서 빌드해요.";
    detail_release(number): "release {number}" / "릴리스 {number}";
    detail_from(old, new): "From {old} to {new}." / "{old}에서 {new}(으)로.";
    detail_image(image, commit): "Image {image} from commit {commit}." / "커밋 {commit}의 이미지 {image}.";
    first_administrator: "The first administrator." / "첫 관리자예요.";
    role_viewer: "viewer" / "뷰어";
    role_developer: "developer" / "개발자";
    role_owner: "owner" / "소유자";
    nothing: "nothing" / "없음";
}

/// So many instances.
pub fn instances(count: usize) -> String {
    if count == 1 { one_instance() } else { instances_of(count) }
}

/// Longer texts are no sentences of the list.
const LONGEST: usize = 4_000;

/// A stored text in Korean, where it is a sentence of the list or several in a row; none where it is somebody else's.
pub fn in_korean(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    // Two in a row first: a hole of the second would take the first.
    let ends = text.match_indices(". ").map(|(at, _)| at + 1).chain(text.match_indices("” ").map(|(at, found)| at + found.len() - 1));
    let mut several = ends.filter_map(|at| Some(format!("{} {}", whole(&text[..at])?, in_korean(text[at..].trim_start())?)));
    let order = || text.contains(" (skipped: ").then(|| each(text));
    several.next().or_else(|| whole(text)).or_else(order)
}

/// All sentences.
fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().chain(file::TABLE).copied()
}

/// The sentence of the list that fits with the most letters of its own.
fn whole(text: &str) -> Option<String> {
    let fitting = table().filter_map(|(en, ko)| Some((letters(en), filled(ko, &fit(en, text)?))));
    fitting.max_by_key(|(letters, _)| *letters).map(|(_, said)| said)
}

/// Things with commas between, each said by itself. What is no sentence belongs to the one before, if that ends in a list.
fn each(text: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut open = String::new();
    for part in parts(text) {
        let longer = format!("{open}, {part}");
        let (alone, going_on) = (whole(part), whole(&longer).filter(|_| !open.is_empty()));
        match (alone, going_on, said.last_mut()) {
            (None, Some(going_on), Some(last)) => (*last, open) = (going_on, longer),
            (None, ..) => said.push(part.to_owned()),
            (Some(alone), ..) => {
                said.push(alone);
                open = part.to_owned();
            }
        }
    }
    said.join(", ")
}

/// What stands between the commas that are in no bracket.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim_start)
}

/// How many letters of a sentence are its own.
fn letters(pattern: &str) -> usize {
    pattern.split('{').map(|part| part.split_once('}').map_or(part, |(_, own)| own).len()).sum()
}

/// A hole of a sentence and what fills it.
type Filled<'a> = Vec<(&'a str, &'a str)>;

/// What fills the holes of `pattern` where it fits `text`; a hole takes as little as it can, and never nothing.
fn fit<'a>(pattern: &'a str, text: &'a str) -> Option<Filled<'a>> {
    let Some((before, rest)) = pattern.split_once('{') else { return (pattern == text).then(Vec::new) };
    let (hole, rest) = rest.split_once('}')?;
    let text = text.strip_prefix(before)?;
    let next = rest.split('{').next().unwrap_or_default();
    let ends: Box<dyn Iterator<Item = usize>> = match next.is_empty() {
        true => Box::new(std::iter::once(text.len())),
        false => Box::new(text.match_indices(next).map(|(at, _)| at)),
    };
    ends.filter(|at| *at > 0).find_map(|at| {
        let mut filled = fit(rest, &text[at..])?;
        let value = &text[..at];
        // The same hole twice is the same text twice.
        let same = filled.iter().all(|(name, other)| *name != hole || *other == value);
        filled.push((hole, value));
        (same && may_fill(hole, value)).then_some(filled)
    })
}

/// Whether a text may stand in a hole: in some of them only sentences may.
fn may_fill(hole: &str, value: &str) -> bool {
    match hole {
        "problem" => whole(value).is_some(),
        "each_said" => parts(value).next().is_some_and(|first| whole(first).is_some()),
        _ => true,
    }
}

fn filled(pattern: &str, values: &Filled<'_>) -> String {
    let mut said = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        said.push_str(before);
        let Some((hole, after)) = after.split_once('}') else { break };
        let value = values.iter().find(|(name, _)| *name == hole).map_or("", |(_, value)| value);
        said.push_str(&in_hole(hole, value));
        rest = after;
    }
    said.push_str(rest);
    said
}

/// What fills a hole, in Korean.
fn in_hole(hole: &str, value: &str) -> String {
    if hole == "line" || hole.starts_with("name") {
        value.to_owned()
    } else if hole.starts_with("each") {
        each(value)
    } else {
        whole(value).unwrap_or_else(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(pattern: &str) -> Vec<&str> {
        let mut holes: Vec<&str> = pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        holes.sort_unstable();
        holes.dedup();
        holes
    }

    #[test]
    fn every_sentence_is_found_again() {
        for (en, ko) in table() {
            assert_eq!(holes(en), holes(ko), "{en}");
            assert!(ko.chars().any(|c| ('가'..='힣').contains(&c)), "no Korean: {ko}");
            let (mut text, mut wanted) = (en.to_owned(), ko.to_owned());
            for (at, hole) in holes(en).into_iter().enumerate() {
                let sentence = (was_cancelled(), "취소됐어요.".to_owned());
                let (english, korean) =
                    if ["problem", "each_said"].contains(&hole) { sentence } else { (format!("x{at}"), format!("x{at}")) };
                text = text.replace(&format!("{{{hole}}}"), &english);
                wanted = wanted.replace(&format!("{{{hole}}}"), &korean);
            }
            assert_eq!(in_korean(&text).as_deref(), Some(wanted.as_str()), "{text}");
        }
    }

    #[test]
    fn sentences_within_sentences() {
        for (text, wanted) in [
            (plan_beside(instances(2), 32, 31), "릴리스 31 옆에 릴리스 32의 인스턴스 2개를 시작해요."),
            (plan_first(instances(1), 1), "릴리스 1의 인스턴스 1개를 시작해요."),
            (
                cause_exited("web", code_means(137, means_killed()), "killed"),
                "web 프로세스가 끝났어요(코드 137, 강제로 종료됨). 마지막 줄: “killed”",
            ),
            (
                format!("{} {}", cause_exited("web", code(1), "KeyError: 'A.' b"), cause_variable("A", 12)),
                "web 프로세스가 끝났어요(코드 1). 마지막 줄: “KeyError: 'A.' b” A 변수가 없어요. 릴리스 12에는 있었어요.",
            ),
            (
                in_step("fast", "unit", ended_line(the_script(), 101, "x ... ok")),
                "fast 단계, unit 스텝: `스크립트` 명령이 종료 코드 101(으)로 끝났어요: x ... ok",
            ),
            (
                healthy(instances(1), 0.3, check_http("/health", 8080)),
                "인스턴스 1개가 0.3초 동안 계속 정상이었어요(포트 8080에 GET /health).",
            ),
            (reason_promoted(reason_candidate(4), "dev"), "dev 환경에서 승격한 후보 4"),
            (
                file::at(4, 5, file::key_near("stagess", file::in_service(), "stages")),
                "berth.yaml 4줄 5칸: `stagess`: 서비스에 없는 키예요. `stages` 말인가요?",
            ),
            (
                file::and_more(file::at(4, 5, file::at_most("drain", "24h")), 2),
                "berth.yaml 4줄 5칸: `drain`: `24h`보다 길 수 없어요. (그 밖에 2개 더 있어요. `berth lint`로 모두 볼 수 있어요)",
            ),
            (
                "stage slow runs unit (pg, 16) (only for push, manual), e2e beside db, cache, at most 10m, only on main, release/*, not for tag".into(),
                "slow 단계에서 실행: unit (pg, 16)(조건: push, manual 이벤트에서만), e2e, 사이드카 db, cache, 최대 10m, main, release/* 브랜치에서만, tag 이벤트는 제외",
            ),
            (
                plan_because("fast, slow (skipped: only on main, release/*), image", why_draft()),
                "실행: fast, slow(건너뜀: main, release/* 브랜치에서만), image. 이유: berth.yaml이 바뀌어요",
            ),
            ("slow (skipped: not for tag), image".into(), "slow(건너뜀: tag 이벤트는 제외), image"),
        ] {
            assert_eq!(in_korean(&text).as_deref(), Some(wanted), "{text}");
        }
        for foreign in ["", "no such table: orders", "Hello. World.", "여기", "a, b (c), d", "fast, slow, image", "berth.yaml:1:1: Hello."]
        {
            assert_eq!(in_korean(foreign), None, "{foreign}");
        }
    }
}
