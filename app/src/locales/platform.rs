//! Sentences of the platform's own pages, the activity and the checklist.

use super::sentences;

sentences! {
    welcome: "Getting started" / "시작하기";
    welcome_title(name): "Good to see you, {name}" / "{name} 님, 반가워요";
    welcome_below: "From here to the first service that runs:" / "첫 서비스를 실행하기까지 남은 일이에요.";
    welcome_engine: "Container engine" / "컨테이너 엔진";
    welcome_engine_done(version): "An engine answers: version {version}." / "엔진이 응답해요. 버전은 {version}이에요.";
    welcome_engine_how: "No engine answers. Start Docker, then `berth doctor` says what is still missing." / "응답하는 엔진이 없어요. Docker를 시작한 뒤 `berth doctor`로 확인하세요.";
    welcome_environments(names): "Every service can run in {names}." / "모든 서비스를 {names} 환경에서 실행할 수 있어요.";
    welcome_team: "A team" / "팀";
    welcome_team_done(team): "You are in {team}." / "{team} 팀에 속해 있어요.";
    welcome_service: "The first service" / "첫 서비스";
    welcome_service_later: "First the team; then give it a name, push to it, and see it live in the first environment." / "먼저 팀을 만드세요. 그다음 이름을 정하고 푸시하면 첫 환경에서 바로 실행돼요.";
    welcome_service_how: "Give it a name, push to it, and see it live in the first environment." / "이름을 정하고 푸시하면 첫 환경에서 바로 실행돼요.";

    activity_below: "Who did what, newest first." / "누가 무엇을 했는지 최신순으로 보여 줘요.";
    activity_empty: "Nothing has happened yet. Whatever somebody does shows here." / "아직 아무 일도 없어요. 누군가 무언가를 하면 여기에 보여요.";
    activity_no_match: "Nothing fits this filter." / "조건에 맞는 활동이 없어요.";
    from_origin(origin): "from {origin}" / "{origin}에서";

    environments_below: "Ordered places to run. A candidate moves from one to the next; the image stays the same." / "순서가 있는 실행 장소예요. 후보는 다음 환경으로 넘어가고 이미지는 그대로예요.";
    col_pool: "Pool" / "풀";
    col_deploys: "Deploys" / "배포";
    by_itself: "by itself" / "자동";
    by_hand: "by hand" / "수동";
    col_stable: "Healthy for" / "안정화 시간";
    col_deadline: "Deadline" / "제한 시간";
    col_profile: "Hardening" / "보안 수준";

    hosts_below: "Machines with a container engine. Teams never see them." / "컨테이너 엔진이 있는 기계예요. 팀에는 보이지 않아요.";
    hosts_empty: "No host answers. Start a container engine on this machine; this says what is missing:" / "응답하는 호스트가 없어요. 이 기계에서 컨테이너 엔진을 시작하세요. 무엇이 빠졌는지는 이 명령이 알려 줘요:";
    col_engine: "Engine" / "엔진";
    col_cores: "Cores" / "코어";
    col_memory: "Memory" / "메모리";
    col_instances: "Instances" / "인스턴스";
    engine_answers: "Answers" / "응답함";
    engine_slow: "Slow" / "느림";
    engine_hung: "Hung" / "멈춤";
    engine_gone: "Gone" / "연결 안 됨";

    users_below: "Everybody Berth knows. Teams decide for themselves who is in them." / "Berth가 아는 모든 사람이에요. 팀 구성원은 팀이 직접 정해요.";
    active: "Active" / "활성";
    suspended: "Suspended" / "정지됨";
    suspend: "Suspend" / "정지";
    suspend_says(name): "{name} is signed out everywhere, and their tokens stop working, until you let them back in." / "{name} 님은 모든 기기에서 로그아웃되고 토큰도 멈춰요. 다시 허용하면 돌아올 수 있어요.";
    suspend_does: "Suspend" / "정지하기";
    restore: "Let back in" / "다시 허용";
}
