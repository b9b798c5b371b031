//! Sentences of services and their targets.

use super::sentences;
use crate::model::CacheEnd;

sentences! {
    home_title: "What runs where" / "어디에서 무엇이 실행되나";
    find_service: "Find a service by its name" / "이름으로 서비스 찾기";
    home_empty: "A service is one thing you deploy on its own. Create the first one, then push to it." / "서비스는 따로 배포하는 하나의 단위예요. 첫 서비스를 만들고 푸시하세요.";
    home_empty_below: "Nothing yet." / "아직 아무것도 없어요.";
    last_run: "Last run" / "마지막 실행";
    no_run_yet: "no push yet" / "아직 푸시 없음";
    not_here: "not here" / "없음";
    board_legend: "v is the number of a release, c that of the candidate it was made from." / "v는 릴리스 번호, c는 그 릴리스를 만든 후보의 번호예요.";
    nothing_deployed: "Nothing was deployed here yet." / "아직 배포한 것이 없어요.";

    new_service: "New service" / "새 서비스";
    new_service_below: "It gets a repository to push to and an address in each environment." / "푸시할 저장소와 환경마다 주소가 생겨요.";
    repository_hint: "A repository of the team that is there, for several services in one. Empty: a new one of the service's name." / "한 저장소에서 여러 서비스를 빌드하려면 팀의 저장소 이름을 적으세요. 비워 두면 서비스 이름으로 새로 만들어요.";
    new_service_do: "Create service" / "서비스 만들기";
    environments_hint: "Where it runs from the start. More can be added at any time." / "처음부터 실행할 환경이에요. 나중에 더할 수 있어요.";
    then_what: "Then" / "그다음은";
    then_push: "You push to main." / "main에 푸시해요.";
    then_stages: "Its stages run; the first that fails stops the run and says why." / "단계가 차례로 실행돼요. 실패하면 멈추고 이유를 알려 줘요.";
    then_dev: "A green run becomes a numbered candidate, live in dev once it is proven." / "통과하면 번호가 붙은 후보가 되고, 검증되면 dev에서 실행돼요.";
    then_promote: "You promote that same image to the next environment." / "같은 이미지를 다음 환경으로 승격해요.";
    sample_below: "A first berth.yaml. Without one, the Dockerfile is built and nothing is tested." / "첫 berth.yaml이에요. 없으면 테스트 없이 Dockerfile만 빌드해요.";

    service_pages: "Pages of this service" / "서비스 페이지";
    tab_overview: "Overview" / "개요";
    tab_runs: "Runs" / "실행";
    tab_settings: "Settings" / "설정";
    targets: "Where it runs" / "실행 환경";
    last_runs: "Last runs" / "최근 실행";
    all_of_them: "All" / "모두";
    runs_empty: "No run yet. Push a commit, and its stages show here." / "아직 실행이 없어요. 커밋을 푸시하면 단계가 여기에 보여요.";
    candidates: "Candidates" / "후보";
    candidates_below: "images that passed every stage" / "모든 단계를 통과한 이미지";
    candidates_empty: "No candidate yet. A run that passes every stage makes one." / "아직 후보가 없어요. 모든 단계를 통과하면 생겨요.";
    from_run(number): "run {number}" / "실행 {number}";
    what_happened: "What happened" / "무슨 일인지 보기";
    watch: "Watch" / "지켜보기";
    promote_to(environment): "Promote to {environment}" / "{environment} 환경으로 승격";
    promote_open(candidate): "Promote c{candidate}…" / "c{candidate} 승격…";
    promote_does(candidate, environment): "Promote c{candidate} to {environment}" / "c{candidate} 후보를 {environment} 환경으로 승격";
    promote_says(candidate, now, environment): "Candidate {candidate} replaces candidate {now} in {environment}. The old one serves until the new one is proven." / "후보 {candidate}번이 {now}번을 대신해 {environment} 환경에서 실행돼요. 새 것이 검증될 때까지 이전 것이 요청을 처리해요.";
    promote_says_release(candidate, number, environment): "Candidate {candidate} replaces v{number} in {environment}. The old one serves until the new one is proven." / "후보 {candidate}번이 v{number}을 대신해 {environment} 환경에서 실행돼요. 새 것이 검증될 때까지 이전 것이 요청을 처리해요.";
    promote_says_first(candidate, environment): "Candidate {candidate} becomes the first release in {environment}." / "후보 {candidate}번이 {environment} 환경의 첫 릴리스가 돼요.";
    add_environment: "Add an environment" / "환경 추가";
    add_environment_says: "It gets its own address, variables and scale." / "주소, 변수, 규모를 따로 가져요.";
    push_title: "How to push" / "푸시하는 방법";
    push_below: "one remote, one command" / "원격 하나, 명령 하나";
    push_password: "Git asks for a user and a password: the user is anything, the password is a token." / "Git이 사용자와 비밀번호를 물으면 사용자는 아무 값, 비밀번호는 토큰을 넣으세요.";
    push_token: "Make a token" / "토큰 만들기";

    repository: "Repository" / "저장소";
    clone_address: "Address to push to" / "푸시할 주소";
    built_beside: "Built beside it" / "함께 빌드하는 서비스";
    move_title: "Move to another repository" / "다른 저장소로 옮기기";
    move_below: "The service is built from there in future. Its runs, candidates and releases stay as they are." / "앞으로 그 저장소에서 빌드해요. 실행, 후보, 릴리스는 그대로 남아요.";
    move_create: "Create the repository if there is none of this name" / "그 이름의 저장소가 없으면 만들기";
    move_does: "Move the service" / "서비스 옮기기";
    pushes: "Newer pushes" / "새 푸시";
    pushes_below: "On every branch but the default one a newer push takes the place of the runs that wait. Each of the default branch is run, unless you decide otherwise." / "기본 브랜치가 아니면 새 푸시가 대기 중인 실행을 대체해요. 기본 브랜치는 따로 정하지 않으면 푸시마다 실행해요.";
    pushes_default: "On the default branch too" / "기본 브랜치에서도 대체";
    pushes_running: "Cancel what is under way too" / "진행 중인 실행도 취소";
    pushes_keep: "Save" / "저장";
    secrets: "Secrets of steps" / "스텝의 시크릿";
    secrets_below: "A step with `secrets: [NAME]` is given the value as a variable. It is kept sealed, hidden in logs, and never shown again." / "`secrets: [NAME]`이 있는 스텝에 값을 변수로 넣어 줘요. 값은 봉인해 보관하고 로그에서 가리며 다시 보여 주지 않아요.";
    secrets_empty: "No secret is kept. Steps get what their file says alone." / "보관한 시크릿이 없어요. 스텝은 파일에 적힌 값만 받아요.";
    secret_name: "Name" / "이름";
    secret_name_hint: "That of the variable, for example DEPLOY_KEY." / "변수 이름이에요. 예: DEPLOY_KEY";
    secret_value: "Value" / "값";
    secret_value_hint: "One line or several. It takes the place of the one of this name." / "여러 줄도 쓸 수 있어요. 같은 이름의 값을 대신해요.";
    secret_keep: "Keep the secret" / "시크릿 보관";
    secret_forget: "Forget" / "삭제";
    secret_forget_this(name): "Forget {name}" / "{name} 삭제";
    caches: "Caches of steps" / "스텝의 캐시";
    caches_below: "A step with `caches:` has these folders as a run before left them. The ones not used for longest go when they take too much room." / "`caches:`가 있는 스텝은 앞선 실행이 남긴 폴더를 이어서 써요. 공간이 모자라면 가장 오래 쓰지 않은 것부터 지워요.";
    caches_empty: "Nothing is kept. Steps begin with their image and the commit's files alone." / "보관한 캐시가 없어요. 스텝은 이미지와 커밋의 파일만으로 시작해요.";
    caches_clear: "Clear the caches" / "캐시 비우기";
    cache_in_use: "in use now" / "지금 사용 중";
    cache_over_budget: "given up to make room" / "공간을 만들려고 지움";
    cache_unused: "given up: no step used it for long" / "오래 쓰지 않아 지움";
    cache_cut_short: "given up: its step was ended from outside" / "스텝이 밖에서 종료되어 지움";
    cache_cleared: "cleared" / "비움";
    delete_title: "Delete" / "삭제";
    delete_below: "What runs is stopped, then everything of the service is removed: releases, variables, logs, the repository." / "실행 중인 것을 멈추고 릴리스, 변수, 로그, 저장소까지 모두 지워요.";
    delete_below_shared: "What runs is stopped, then everything of the service is removed: releases, variables, logs. The repository stays, since other services are built from it." / "실행 중인 것을 멈추고 릴리스, 변수, 로그를 모두 지워요. 저장소는 다른 서비스가 쓰고 있어서 남아요.";
    delete_service(name): "Delete {name}…" / "{name} 삭제…";
    delete_service_says(name, environments): "This stops {name} in {environments} and removes its repository. It cannot be undone." / "{name} 서비스를 {environments} 환경에서 멈추고 저장소를 지워요. 되돌릴 수 없어요.";
    delete_service_says_shared(name, environments): "This stops {name} in {environments} and removes everything of it but the repository. It cannot be undone." / "{name} 서비스를 {environments} 환경에서 멈추고 저장소를 뺀 모든 것을 지워요. 되돌릴 수 없어요.";
    delete_service_does: "Delete for good" / "영구 삭제";

    target_title(service, environment): "{service} in {environment}" / "{environment} 환경의 {service}";
    what_runs: "What runs" / "실행 중인 것";
    instance: "Instance" / "인스턴스";
    instances_empty: "No instance runs here. Deploy a candidate to start one." / "실행 중인 인스턴스가 없어요. 후보를 배포하면 시작돼요.";
    last_rollout: "Last rollout" / "마지막 롤아웃";
    open_it: "Open" / "열기";
    deploy: "Deploy" / "배포";
    what: "What" / "대상";
    what_runs_in(environment): "What runs in {environment}" / "{environment} 환경에서 실행 중인 것";
    an_image: "An image from outside" / "외부 이미지";
    image: "Image" / "이미지";
    image_hint: "For an image from outside: a name the engine has or can pull." / "외부 이미지의 이름이에요. 엔진에 있거나 받을 수 있어야 해요.";
    scale: "Scale" / "규모 조정";
    scale_hint: "Instances of each process, 0 to 100." / "프로세스별 인스턴스 수예요. 0에서 100까지예요.";
    config: "Variables" / "변수";
    config_number(number): "config {number}" / "구성 {number}";
    config_hidden(role): "Variables may hold passwords: reading them takes the role {role}." / "변수에는 비밀번호가 있을 수 있어서 읽으려면 {role} 역할이 필요해요.";
    config_empty: "No variables. What differs between environments belongs here, and nothing else." / "변수가 없어요. 환경마다 다른 값만 여기에 두세요.";
    config_new: "Add or replace" / "추가하거나 바꾸기";
    config_hint: "One NAME=value on each line. Saving makes a new release." / "한 줄에 NAME=값 하나씩 적으세요. 저장하면 새 릴리스가 생겨요.";
    config_save: "Save variables" / "변수 저장";
    release: "Release" / "릴리스";
    releases: "Releases" / "릴리스";
    releases_below: "image, config and shape under one number" / "이미지, 구성, 형태를 묶은 번호";
    releases_empty: "No release yet. The first deploy makes number 1." / "아직 릴리스가 없어요. 첫 배포가 1번이 돼요.";
    serves: "serves" / "처리 중";
    reason: "Reason" / "이유";
    rollback: "Roll back…" / "롤백…";
    rollback_does(number): "Roll back to v{number}" / "v{number}으로 롤백";
    rollback_says(number, environment): "A new release repeats what v{number} had in {environment}: image, variables and shape." / "v{number}의 이미지, 변수, 형태를 그대로 되살린 새 릴리스를 {environment} 환경에 만들어요.";
    routes: "Addresses" / "주소";
    routes_empty: "No address leads here yet." / "아직 연결된 주소가 없어요.";
    add_route: "Add an address" / "주소 추가";
    made_by_berth: "made by Berth" / "자동 생성";
    host_name: "Host name" / "호스트 이름";
    host_hint: "For example shop.example.org; point its DNS at this machine." / "예: shop.example.org. DNS를 이 기계로 연결하세요.";
    path: "Path" / "경로";
    logs: "Logs" / "로그";
    logs_below(environment): "What its instances in {environment} write: the last 500 lines." / "{environment} 환경의 인스턴스가 남긴 마지막 500줄이에요.";
    logs_empty: "No lines. Nothing runs here, or it has written nothing." / "로그가 없어요. 실행 중인 것이 없거나 아무것도 쓰지 않았어요.";

    health_empty: "Nothing yet" / "배포 전";
    health_healthy: "Healthy" / "정상";
    health_moving: "Rolling out" / "롤아웃 중";
    health_degraded: "Degraded" / "일부만 정상";
    health_down: "Down" / "중단";
    health_stopped: "Scaled to zero" / "0으로 축소됨";
    health_unknown: "Out of sight" / "확인 불가";
    health_failed_serving(number): "Failed, v{number} serves" / "실패, v{number} 유지";
    instance_starting: "Starting" / "시작 중";
    instance_serving: "Serving" / "처리 중";
    instance_draining: "Draining" / "마무리 중";
    instance_unhealthy: "Unhealthy" / "비정상";
    instance_exited: "Exited" / "종료됨";
}

impl super::Lang {
    /// Why a cache was given up.
    pub const fn cache_end(self, end: CacheEnd) -> &'static str {
        match end {
            CacheEnd::OverBudget => self.cache_over_budget(),
            CacheEnd::Unused => self.cache_unused(),
            CacheEnd::CutShort => self.cache_cut_short(),
            CacheEnd::Cleared => self.cache_cleared(),
        }
    }

    /// "6 services in 3 environments."
    pub fn home_counts(self, services: usize, environments: usize) -> String {
        let s = |count: usize| if count == 1 { "" } else { "s" };
        match self {
            Self::En => format!("{services} service{} in {environments} environment{}.", s(services), s(environments)),
            Self::Ko => format!("환경 {environments}개에 서비스 {services}개가 있어요."),
        }
    }

    /// "Release 5 of candidate 2", for `v5 · c2`.
    pub fn version_says(self, release: u64, candidate: Option<u64>) -> String {
        match (self, candidate) {
            (Self::En, Some(candidate)) => format!("Release {release} of candidate {candidate}"),
            (Self::En, None) => format!("Release {release}"),
            (Self::Ko, Some(candidate)) => format!("후보 {candidate}의 릴리스 {release}"),
            (Self::Ko, None) => format!("릴리스 {release}"),
        }
    }

    /// "Below are 50 of them."
    pub fn home_part(self, count: usize) -> String {
        match self {
            Self::En => format!("Below are {count} of them."),
            Self::Ko => format!("그중 {count}개가 아래에 있어요."),
        }
    }

    /// "One is moving."
    pub fn home_moving(self, count: usize) -> String {
        match (self, count) {
            (Self::En, 1) => "One is moving.".to_owned(),
            (Self::En, _) => format!("{count} are moving."),
            (Self::Ko, _) => format!("{count}개가 롤아웃 중이에요."),
        }
    }

    /// "One needs you."
    pub fn home_needing(self, count: usize) -> String {
        match (self, count) {
            (Self::En, 1) => "One needs you.".to_owned(),
            (Self::En, _) => format!("{count} need you."),
            (Self::Ko, _) => format!("{count}개를 확인해 주세요."),
        }
    }

    /// "2 of 3 serve", for the berths.
    pub fn berths(self, serving: usize, wanted: usize) -> String {
        match (self, wanted) {
            (Self::En, 1) => format!("{serving} of 1 instance serves"),
            (Self::En, _) => format!("{serving} of {wanted} instances serve"),
            (Self::Ko, _) => format!("인스턴스 {wanted}개 중 {serving}개 처리 중"),
        }
    }
}
